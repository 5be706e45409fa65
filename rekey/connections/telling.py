"""What of a report is told by mail: what is wrong, and what changed; nothing if nothing is and nothing did."""

from rekey.connections.flaws import Severity
from rekey.connections.report import KEYLESS, Report, Said
from rekey.model import Finding, Notice, NoticeKind
from rekey.model.notice import cut


def counts(report: Report) -> dict[str, int]:
    """Return the report in numbers."""
    keyless = sum(1 for row in report.rows if row.way in KEYLESS)
    return {
        "connections": len(report.rows),
        "without a key": keyless,
        "with a key": len(report.rows) - keyless,
        "findings": len(report.findings),
        "new findings": len(report.fresh),
        "findings that are gone": len(report.gone),
    }


def notice(report: Report) -> Notice | None:
    """Return the mail about a report, None if there is nothing to tell; a repeated step gets the same."""
    fresh = frozenset(report.fresh)
    told = [one for one in report.findings if one.severity is Severity.WRONG or one.key in fresh]
    if not told and not report.gone:
        return None
    return Notice(
        kind=NoticeKind.CONNECTIONS,
        rotation_id=report.run_id,
        vault="",
        secret="",
        to=(),
        counts=counts(report),
        findings=cut([_finding(one, is_new=one.key in fresh) for one in told], "See the whole report."),
    )


def _finding(said: Said, *, is_new: bool) -> Finding:
    since = "" if is_new else f" (since {said.since:%Y-%m-%d})"
    return Finding(
        code=said.code,
        message=f"{said.message}{since}",
        what_to_do=said.what_to_do,
        subject="/".join(filter(None, (said.organization, said.project, said.subject))),
    )
