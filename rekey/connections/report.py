"""The report of one audit: every connection, every finding and since when, and what is new or gone since the last one.

What could not be read tonight is kept as it was last seen, so that nothing seems repaired because nobody could look.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from rekey.connections.flaws import Flaw, Severity
from rekey.connections.found import UNKNOWN, Connection, Principal, Variable, Way
from rekey.connections.judging import Around, ManagedBy, judge, secret_ends
from rekey.connections.turn import Seen
from rekey.model.connections import ProjectName, Reporting, Unseen

KEYLESS = frozenset({Way.FEDERATED, Way.MANAGED_IDENTITY})


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One connection in the report, under the name of the first project that has it; `seen` is when it was read.

    `expires`: when its secret ends, at the latest. `managed_by`: the managed secret its key comes from,
    `<vault>/<secret>`. `keyless`: the last way it signed in that needs no key. `findings` are codes.
    """

    key: str
    organization: str
    project: str
    connection: str
    id: str
    way: Way
    application: str
    application_name: str
    issuer: str
    subject: str
    created: datetime | None
    changed: datetime | None
    last_used: datetime | None
    expires: datetime | None
    revert_until: datetime | None
    disabled: bool
    shared_with: tuple[str, ...]
    managed_by: str
    keyless: Way | None
    seen: datetime
    findings: tuple[str, ...] = ()


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One finding; `subject` is a connection, or what else it is about, "" for a whole project. `since`: first told."""

    code: str
    severity: Severity
    organization: str
    project: str
    subject: str
    message: str
    what_to_do: str
    since: datetime
    about: str = ""
    """The key of its connection."""

    @property
    def key(self) -> str:
        """What makes it the same finding in another report."""
        return f"{self.code}|{self.about or f'{self.organization}/{self.project}/{self.subject}'}".lower()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one audit found; `fresh` are the keys of findings the last report didn't have, `gone` those it had alone."""

    run_id: str
    at: datetime
    rows: tuple[Row, ...] = ()
    findings: tuple[Said, ...] = ()
    fresh: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside what was read: managed secrets by the URI of a consumer, and the last report.

    `allowed` has the projects of each organization in settings; all in lower case.
    """

    managed: Mapping[str, ManagedBy] = {}
    allowed: Mapping[str, frozenset[str]] = {}
    last: Report | None = None


def report(run: Reporting, read: Mapping[ProjectName, Seen], known: Known) -> Report:
    """Return the report of a run."""
    last = known.last or Report(run_id="", at=run.started)
    ways = {row.key: row.keyless for row in last.rows}
    rows, said = list[Row](), list[Said]()
    for connection in _once(read):
        principal = _principal(read, connection)
        row, flaws = _judged(run, connection, principal, ways.get(connection.key), known)
        rows.append(row)
        said += [_of_flaw(row, flaw, run.started) for flaw in flaws]
    said += [_of_variable(variable, run.started) for seen in read.values() for variable in seen.variables]
    said += [_of_unseen(unseen, run.started) for unseen in _all_unseen(run, read)]
    kept_rows, kept = _kept(last, read, {row.key for row in rows}, _in_settings(known))
    return _compared(Report(run_id=run.run_id, at=run.started, rows=(*rows, *kept_rows)), [*said, *kept], last)


def _once(read: Mapping[ProjectName, Seen]) -> Iterable[Connection]:
    """Return each connection once, however many projects share it; its newest run may be in any of them."""
    found: dict[str, Connection] = {}
    for seen in read.values():
        for one in seen.connections:
            placed = replace(one, pools=tuple(seen.pools.get(number, UNKNOWN) for number in one.used_by))
            before = found.get(one.key)
            found[one.key] = _joined(before, placed) if before else placed
    return found.values()


def _joined(one: Connection, other: Connection) -> Connection:
    ends = [end for end in (one.last_used, other.last_used) if end]
    return replace(
        one,
        last_used=max(ends, default=None),
        history_read=one.history_read and other.history_read,
        pools=(*one.pools, *other.pools),
    )


def _principal(read: Mapping[ProjectName, Seen], connection: Connection) -> Principal | None:
    found = (seen.principals.get(connection.application) for seen in read.values())
    return next((one for one in found if one is not None), None)


def _judged(
    run: Reporting, connection: Connection, principal: Principal | None, keyless: Way | None, known: Known
) -> tuple[Row, tuple[Flaw, ...]]:
    around = Around(
        now=run.started,
        principal=principal,
        managed=known.managed.get(uri(connection)),
        allowed=known.allowed.get(connection.organization.lower(), frozenset()),
        before=keyless,
    )
    flaws = judge(connection, around)
    return replace(_row(connection, around), findings=tuple(flaw.code for flaw in flaws)), flaws


def _row(connection: Connection, around: Around) -> Row:
    managed, has_secret = around.managed, connection.way is Way.SECRET
    return Row(
        key=connection.key,
        organization=connection.organization,
        project=connection.project,
        connection=connection.name,
        id=connection.id,
        way=connection.way,
        application=connection.application,
        application_name=around.principal.name if around.principal else "",
        issuer=connection.issuer,
        subject=connection.subject,
        created=connection.created,
        changed=connection.changed,
        last_used=connection.last_used,
        expires=secret_ends(around) if has_secret else None,
        revert_until=connection.revert_until,
        disabled=connection.disabled,
        shared_with=tuple(p for p in connection.projects if p.lower() != connection.project.lower()),
        managed_by=f"{managed.vault}/{managed.secret}" if managed and has_secret else "",
        keyless=connection.way if connection.way in KEYLESS else around.before,
        seen=around.now,
    )


def uri(connection: Connection) -> str:
    """Return how a secret's tags name a connection as a consumer, without regard to case and escapes."""
    return f"azdo-service-connection://{connection.organization}/{connection.project}/{connection.name}".lower()


def _of_flaw(row: Row, flaw: Flaw, now: datetime) -> Said:
    return Said(
        code=flaw.code,
        severity=flaw.severity,
        organization=row.organization,
        project=row.project,
        subject=row.connection,
        message=flaw.message,
        what_to_do=flaw.what_to_do,
        since=now,
        about=row.key,
    )


def _of_variable(variable: Variable, now: datetime) -> Said:
    return Said(
        code="variable-not-secret",
        severity=Severity.ADVICE,
        organization=variable.organization,
        project=variable.project,
        subject=f"{variable.place}, variable {variable.name}",
        message="it isn't secret, although its name says that it holds one: everybody in the project can read it",
        what_to_do="Replace what it holds where that is issued, and make the variable secret, or link a Key Vault.",
        since=now,
    )


def _of_unseen(unseen: Unseen, now: datetime) -> Said:
    return Said(
        code="not-looked-at" if unseen.what else "look-failed",
        severity=Severity.ADVICE if unseen.what else Severity.WRONG,
        organization=unseen.organization,
        project=unseen.project,
        subject=unseen.what,
        message=unseen.message,
        what_to_do=unseen.what_to_do or "The next night tries again.",
        since=now,
    )


def _all_unseen(run: Reporting, read: Mapping[ProjectName, Seen]) -> Iterable[Unseen]:
    yield from run.unseen
    for seen in read.values():
        yield from seen.unseen


def _in_settings(known: Known) -> frozenset[tuple[str, str]]:
    return frozenset((name, project) for name, projects in known.allowed.items() for project in projects)


def _kept(
    last: Report, read: Mapping[ProjectName, Seen], keys: set[str], allowed: frozenset[tuple[str, str]]
) -> tuple[list[Row], list[Said]]:
    """Return what the last report has of projects that settings still allow, and that nobody could read tonight."""
    done = {(p.organization.lower(), p.project.lower()) for p, seen in read.items() if not seen.tasks}
    left = allowed - done
    rows = [row for row in last.rows if _place(row) in left and row.key not in keys]
    said = [one for one in last.findings if _place(one) in left and one.about not in keys]
    return rows, [one for one in said if one.code not in {"look-failed", "not-looked-at"}]


def _place(one: Row | Said) -> tuple[str, str]:
    return one.organization.lower(), one.project.lower()


def _compared(found: Report, said: Sequence[Said], last: Report) -> Report:
    before = {one.key: one.since for one in last.findings}
    now = {one.key: replace(one, since=before.get(one.key, one.since)) for one in said}
    ordered = sorted(now.values(), key=lambda s: (s.severity is Severity.ADVICE, s.code, *_place(s), s.subject))
    return replace(
        found,
        rows=tuple(sorted(found.rows, key=lambda row: (*_place(row), row.connection.lower()))),
        findings=tuple(ordered),
        fresh=tuple(key for key in now if key not in before),
        gone=tuple(key for key in before if key not in now),
    )
