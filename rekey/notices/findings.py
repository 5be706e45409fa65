"""Which lines of a digest stand together, in which order, and how many of them one mail shows."""

from collections.abc import Sequence

import msgspec

from rekey.model import Finding, Notice, NoticeKind
from rekey.model.notice import MOST_FINDINGS

MOST_OF_A_GROUP = 50

FEDERATION_WAITS = "federation-waits"
"""The code of a line about a service connection that somebody has to look at."""

URGENT = (
    *(NoticeKind.ALERT, NoticeKind.NEEDS_YOU, NoticeKind.FAILED, NoticeKind.BAD_POLICY),
    *(FEDERATION_WAITS, NoticeKind.STILL_USED),
)
"""What somebody has to act on, the most urgent first."""

_TITLES: dict[str, str] = {
    NoticeKind.ALERT: "Alert: an audit log shows what should not be",
    NoticeKind.NEEDS_YOU: "Needs you: the rotation waits",
    NoticeKind.FAILED: "Failed: not rotated",
    NoticeKind.BAD_POLICY: "Bad policy: not rotated until the tags are corrected",
    FEDERATION_WAITS: "Service connections that need you",
    NoticeKind.STILL_USED: "Still used: somebody reads the old version",
    "mail-refused": "Could not be told: the mail service refuses the address",
    NoticeKind.SWITCHED: "Switched: the new credential is in the vault",
    NoticeKind.DONE: "Done: the rotation is finished",
    NoticeKind.NOTHING_LEFT: "Nothing left to rotate: no consumer needs a key any more",
    NoticeKind.FEDERATION: "Service connections that are to need no secret",
    NoticeKind.STARTING: "Started: trouble is told in a mail of its own",
}
"""News of rotations in the order in which they are read; other codes follow as they came."""


class Line(msgspec.Struct, frozen=True):
    """What about which secret; `what_to_do` is empty where the whole group has the same."""

    what: str
    message: str
    what_to_do: str


class Group(msgspec.Struct, frozen=True):
    """Findings of one code: all of them are counted, `lines` are shown, `left` aren't."""

    title: str
    count: int
    advice: str
    lines: tuple[Line, ...]
    left: int


def groups(notice: Notice) -> list[Group]:
    """Return the findings by code, the urgent ones first, cut to what one mail holds."""
    by_code: dict[str, list[Finding]] = {}
    for finding in notice.findings:
        by_code.setdefault(finding.code, []).append(finding)
    order = list(_TITLES)
    found, room = [], MOST_FINDINGS
    for code in sorted(by_code, key=lambda code: order.index(code) if code in order else len(order)):
        group = _group(code, by_code[code], min(room, MOST_OF_A_GROUP))
        found.append(group)
        room -= len(group.lines)
    return found


def urgent(notice: Notice) -> int:
    """Return how many lines somebody has to act on."""
    return sum(1 for finding in notice.findings if finding.code in URGENT)


def _group(code: str, findings: Sequence[Finding], most: int) -> Group:
    advices = {finding.what_to_do for finding in findings}
    advice = advices.pop() if len(advices) == 1 else ""
    lines = tuple(Line(_what(f), f.message, "" if advice else f.what_to_do) for f in findings[:most])
    return Group(_TITLES.get(code, code), len(findings), advice, lines, len(findings) - len(lines))


def _what(finding: Finding) -> str:
    name = "/".join(part for part in (finding.vault, finding.secret) if part)
    return ", ".join(part for part in (name, finding.subject) if part)
