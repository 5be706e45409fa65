"""What operators are shown of the last report: the JSON of `GET /api/service-connections`, page by page."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from rekey.clients import Clients
from rekey.connections.found import Way
from rekey.connections.report import Report, Row, Said
from rekey.connections.reports import Reports
from rekey.connections.telling import counts
from rekey.operator_requests import RefusedError, bad_input, shown
from rekey.secrets_view import ADDRESS, MOST, USUAL

_TEXTS = {"organization": "an organization's name", "project": "a project's name", "finding": "the code of a finding"}
_CHOICES = {"way": tuple(Way), "managed": ("true", "false")}
_KNOWN = (*_TEXTS, *_CHOICES, "top", "continuation")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which connections: what is empty or None doesn't count; `first` is the number of the first on the page."""

    organization: str = ""
    project: str = ""
    finding: str = ""
    way: str = ""
    managed: bool | None = None
    top: int = USUAL
    run_id: str = ""
    first: int = 0

    def has(self, row: Row) -> bool:
        """Tell whether a connection is meant."""
        return (
            self._is_there(row)
            and self.finding in {"", *row.findings}
            and self.way in {"", row.way}
            and self.managed in {None, bool(row.managed_by)}
        )

    def says(self, said: Said, keys: frozenset[str]) -> bool:
        """Tell whether a finding is meant: of a connection that is, or of something else if no way is asked for."""
        if not self._is_there(said) and said.about not in keys:
            return False
        whole = not self.way and self.managed is None
        return self.finding in {"", said.code} and (said.about in keys if said.about else whole)

    def _is_there(self, one: Row | Said) -> bool:
        organization, project = self.organization.lower(), self.project.lower()
        shared = (name.lower() for name in one.shared_with) if isinstance(one, Row) else ()
        return organization in {"", one.organization.lower()} and project in {"", one.project.lower(), *shared}


def wanted(query: Mapping[str, str]) -> Wanted:
    """Return what a query asks for; RefusedError."""
    for name in query:
        if name not in _KNOWN and name.lower() not in ADDRESS:
            raise bad_input(name[:100], "unknown", ", ".join(_KNOWN))
    for name, choices in _CHOICES.items():
        if query.get(name) and query[name] not in choices:
            raise bad_input(name, f"got {shown(query[name])}", f"one of {', '.join(choices)}")
    run_id, first = _place(query.get("continuation", ""))
    texts = {name: query.get(name, "") for name in (*_TEXTS, "way")}
    managed = query["managed"] == "true" if query.get("managed") else None
    return Wanted(**texts, managed=managed, top=_top(query.get("top", "")), run_id=run_id, first=first)


async def page(clients: Clients, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of the last report; 404 before the first, 400 if it was replaced since the page before."""
    asked = wanted(query)
    found = await Reports(clients.container()).last()
    if found is None:
        raise RefusedError(404, "no-report", "no audit of service connections has come to its end yet")
    if asked.run_id not in {"", found.run_id}:
        raise bad_input("continuation", "a newer report was made meanwhile", "none: begin again with the first page")
    return _page(found, asked)


def _page(found: Report, asked: Wanted) -> dict[str, Any]:
    rows = [row for row in found.rows if asked.has(row)]
    keys = frozenset(row.key for row in rows)
    ends = asked.first + asked.top
    return {
        "run_id": found.run_id,
        "at": found.at.isoformat(),
        "counts": counts(found),
        "connections": msgspec.to_builtins(rows[asked.first : ends]),
        "findings": msgspec.to_builtins([s for s in found.findings if asked.says(s, keys)]) if not asked.first else [],
        "matching": len(rows),
        "continuation": f"{found.run_id}.{ends}" if len(rows) > ends else None,
    }


def _top(text: str) -> int:
    if text and not (re.fullmatch(r"[0-9]{1,4}", text) and 1 <= int(text) <= MOST):
        raise bad_input("top", f"got {shown(text)}", f"a number from 1 to {MOST}")
    return int(text or USUAL)


def _place(token: str) -> tuple[str, int]:
    if not token:
        return "", 0
    found = re.fullmatch(r"([0-9a-f-]{36})\.([0-9]{1,9})", token)
    if not found:
        raise bad_input("continuation", f"got {shown(token)}", "what the page before said")
    return found[1], int(found[2])
