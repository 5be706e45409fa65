"""One night in one notice: what it found in the order of urgency, each with the day since when it has been there."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from rekey.model import Finding, Notice, NoticeKind
from rekey.model.night import Summing
from rekey.model.notice import cut
from rekey.reconcile.leftovers import Verdict

_ORDER = (
    "credential-gone",
    "rotation-dead-after-switch",
    "look-failed",
    "due-and-failing",
    "due-not-rotated",
    "rotation-dead",
    "rotation-stalled",
    "rotation-overdue",
    "rotation-suspended",
    "audit-log-silent",
    "audit-logs-unlisted",
    "audit-log-unread",
    "audit-log-missing",
    "audit-lines-unreadable",
    "policy-lost",
    "bad-policy",
    "no-expiry",
    "expiry-differs",
    "newest-version-disabled",
)
"""What is to be read first; other codes follow by name."""


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings in the order in which they are told."""
    places = {code: place for place, code in enumerate(_ORDER)}
    return sorted(findings, key=lambda f: (places.get(f.code, len(places)), f.code, f.vault, f.secret, f.subject))


def since(findings: Iterable[Finding], before: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    """Return since when each of tonight's findings has been there; what is gone tonight is forgotten."""
    return {key: min(before.get(key, now), now) for key in map(_key, findings)}


def dated(findings: Iterable[Finding], since: Mapping[str, datetime], now: datetime) -> list[Finding]:
    """Return the findings, those of earlier nights with the day on which they were told first."""
    return [_dated(finding, since[_key(finding)], now) for finding in findings]


def notice(night: Summing, findings: Sequence[Finding]) -> Notice:
    """Return the notice of this night; what is too much for one is counted."""
    return Notice(
        kind=NoticeKind.RECONCILE,
        rotation_id=night.run_id,
        vault="",
        secret="",
        to=(),
        counts={**night.counts, **_counted(findings)},
        findings=cut(findings, "Start with the above."),
    )


def _counted(findings: Sequence[Finding]) -> dict[str, int]:
    removed = sum(finding.code == Verdict.REMOVE for finding in findings)
    return {**({"removed": removed} if removed else {}), "findings": len(findings)}


def _key(finding: Finding) -> str:
    return f"{finding.code}|{finding.vault}|{finding.secret}|{finding.subject}".lower()


def _dated(finding: Finding, first: datetime, now: datetime) -> Finding:
    if first.date() >= now.date():
        return finding
    return replace(finding, message=f"{finding.message} (since {first:%Y-%m-%d})")
