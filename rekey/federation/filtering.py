"""Chooses service connections from the last audit report by a filter, as many as the limit says, and starts them.

Secrets that end soonest come first. What is on its way, or was done since the report, doesn't count: asking again goes
on with the next.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from rekey import names
from rekey.clients import Clients
from rekey.connections.found import Way
from rekey.connections.report import Report, Row
from rekey.connections.reports import Reports
from rekey.connections.view import Wanted
from rekey.federation import allowed
from rekey.federation.records import OPEN, FederationRecords
from rekey.federation_settings import Duty
from rekey.model.federation_request import FederationRequest, Mode
from rekey.operator_requests import RefusedError, bad_input, parsed, requester, shown
from rekey.settings import Settings
from rekey.starting import DurableClient, start_federation
from rekey.starting_many import Start, outcomes, read_flag, read_limit

MOST = 50
"""Federations of one request: Azure DevOps allows a caller so much in five minutes that more would wait."""
OLDEST = timedelta(days=2)
"""Of a report that is chosen from: audits are made every night."""
FIELDS = ("filter", "limit", "dry_run", "mode", "soak")
DRIFTED = frozenset({"no-federated-credential", "subject-differs", "subject-case-differs", "audience-differs"})
"""Findings of a connection that is federated, and that Entra doesn't know."""
_FILTER = ("organization", "project", "finding", "way", "managed")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a body with a filter asks for; `like` is the request for each connection, but for its name."""

    wanted: Wanted
    limit: int
    dry_run: bool
    like: FederationRequest

    def meant(self, row: Row) -> bool:
        """Tell whether a connection is asked for, and is one that this mode is for."""
        fits = bool(DRIFTED & set(row.findings)) if self.like.mode is Mode.REPAIR else row.way is Way.SECRET
        return fits and not row.disabled and self.wanted.has(row)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The requests for the connections that are chosen, and how many match beyond the limit."""

    requests: tuple[FederationRequest, ...]
    left_out: int

    @property
    def matching(self) -> int:
        """How many match in all."""
        return len(self.requests) + self.left_out


def read(payload: dict[str, Any], caller: str, settings: Settings) -> Chosen:
    """Return what the body asks for; RefusedError and ScopeError say field, value and what was expected."""
    for field in payload:
        if field not in FIELDS:
            raise bad_input(field[:100], "unknown beside filter", ", ".join(FIELDS))
    limit, dry_run = read_limit(payload, MOST), read_flag(payload, "dry_run")
    same = {field: value for field, value in payload.items() if field in {"mode", "soak"}}
    like = parsed(FederationRequest.parse, same | {"organization": "o", "project": "p", "connection": "c"})
    allowed.may(like.mode, settings)
    allowed.soak(like)
    return Chosen(
        wanted=_filter(payload["filter"]),
        limit=limit,
        dry_run=bool(dry_run),
        like=replace(like, requested_by=requester(caller)),
    )


async def choose(clients: Clients, chosen: Chosen) -> Found:
    """Return the connections that are meant, by the last report; 409 if there is none that can be believed."""
    report = await _report(clients)
    busy = await _dealt_with(clients, report)
    rows = [
        row for row in report.rows if chosen.meant(row) and _instance(row) not in busy and _is_in_scope(clients, row)
    ]
    last = datetime.max.replace(tzinfo=UTC)
    rows.sort(key=lambda row: (row.expires or last, row.organization, row.project, row.connection))
    requests = (
        replace(chosen.like, organization=row.organization, project=row.project, connection=row.connection)
        for row in rows[: chosen.limit]
    )
    return Found(requests=tuple(requests), left_out=max(0, len(rows) - chosen.limit))


async def start(clients: Clients, client: DurableClient, chosen: Chosen) -> dict[str, Any]:
    """Start them, and say of each what became of it: started, running, not-started, would-start (a dry run)."""
    found = await choose(clients, chosen)
    starts = [Start(_instance(one), partial(start_federation, client, one)) for one in found.requests]
    became = await outcomes(client, starts, dry_run=chosen.dry_run)
    return {
        "dry_run": chosen.dry_run,
        "matching": found.matching,
        "left_out": found.left_out,
        "federations": [
            {
                "organization": one.organization,
                "project": one.project,
                "connection": one.connection,
                "instance": start.instance,
                "outcome": outcome,
            }
            for one, start, outcome in zip(found.requests, starts, became, strict=True)
        ],
    }


def _filter(given: object) -> Wanted:
    expected = f"an object with {', '.join(_FILTER)}, at least one"
    if not isinstance(given, dict) or not given:
        raise bad_input("filter", f"got {shown(given)}", expected)
    for field, value in given.items():
        if field not in _FILTER:
            raise bad_input(f"filter.{field[:100]}", "unknown", ", ".join(_FILTER))
        if field == "managed" and type(value) is not bool:
            raise bad_input("filter.managed", f"got {shown(value)}", "true or false")
        if field != "managed" and (not isinstance(value, str) or not value):
            raise bad_input(f"filter.{field}", f"got {shown(value)}", "a text")
        if field == "way" and value not in tuple(Way):
            raise bad_input("filter.way", f"got {shown(value)}", f"one of {', '.join(Way)}")
    return Wanted(**given)


async def _report(clients: Clients) -> Report:
    if clients.settings.federating.duty is Duty.VENDING:
        said = "filter: this function app makes no audit to choose from, since its REKEY_DUTY is vending"
        raise RefusedError(409, "no-report", f"{said}. Name the connections one by one.", "filter")
    advice = "Let the audit audit_service_connections run first: it is made every night, and by its timer when asked"
    report = await Reports(clients.container()).last()
    if report is None:
        raise RefusedError(409, "no-report", f"filter: there is no audit report to choose from. {advice}.", "filter")
    if datetime.now(UTC) - report.at > OLDEST:
        said = f"filter: the last audit report is of {report.at:%Y-%m-%d %H:%M} UTC, older than two days"
        raise RefusedError(409, "old-report", f"{said}. {advice}.", "filter")
    return report


async def _dealt_with(clients: Clients, report: Report) -> set[str]:
    """Return the instances that are at work, or that ended well since the report was made."""
    records = await FederationRecords(clients.container()).all()
    return {
        record.federation.instance
        for record in records
        if record.state == OPEN or (record.result == "done" and record.closed and record.closed > report.at)
    }


def _is_in_scope(clients: Clients, row: Row) -> bool:
    return any(scope.has_project(row.organization, row.project) for scope in clients.settings.scopes)


def _instance(one: Row | FederationRequest) -> str:
    return names.federation_instance(one.organization, one.project, one.connection)
