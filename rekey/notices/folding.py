"""How the news of many rotations become lines of one mail: the latest of each rotation, with the facts that matter."""

from collections.abc import Iterable, Sequence

from rekey.model import ConsumerResult, Finding, Notice, NoticeKind
from rekey.notices import by_hand, federations
from rekey.notices.identity import digest_id
from rekey.notices.outbox import Waiting
from rekey.notices.sightings import sentence, who
from rekey.notices.wording import moment, noun

PLANNED = (NoticeKind.STARTING, NoticeKind.SWITCHED, NoticeKind.DONE)
"""What merely goes as planned, in its order: of one rotation the last of them says it all.

Nobody is needed any more by a rotation that is done.
"""


def folded(recipient: str, waiting: Sequence[Waiting]) -> Notice:
    """Return the digest of these notices for that one person; the same notices make the same digest."""
    return Notice(
        kind=NoticeKind.DIGEST,
        rotation_id=digest_id(recipient, (w.id for w in waiting)),
        vault="",
        secret="",
        to=(recipient,),
        findings=tuple(_findings([w.notice for w in waiting])),
    )


def _findings(notices: Sequence[Notice]) -> Iterable[Finding]:
    rotations: dict[tuple[str, str, str], list[Notice]] = {}
    for notice in notices:
        rotations.setdefault((notice.rotation_id, notice.vault.lower(), notice.secret.lower()), []).append(notice)
    for told in rotations.values():
        yield from _of_one_rotation(told)


def _of_one_rotation(told: Sequence[Notice]) -> Iterable[Finding]:
    asked = [notice for notice in told if notice.to_act]
    told = [notice for notice in told if not notice.to_act]
    latest = max((n for n in told if n.kind in PLANNED), key=_place, default=None)
    over = (
        (*PLANNED, NoticeKind.NEEDS_YOU, NoticeKind.STILL_USED)
        if latest and latest.kind is NoticeKind.DONE
        else PLANNED
    )
    for notice in told:
        if notice.findings:
            yield from notice.findings
        elif notice is latest:
            yield _finding(notice, [n for n in told if n.kind in over and n is not latest])
        elif notice.kind not in over:
            yield _finding(notice, ())
    for notice in asked[-1:]:
        yield _finding(notice, asked[:-1])


def _passed(notice: Notice) -> str:
    return f"{notice.kind} ({notice.failed_step}: {notice.code})" if notice.failed_step else str(notice.kind)


def _place(notice: Notice) -> int:
    return PLANNED.index(notice.kind)


def _finding(notice: Notice, before: Sequence[Notice]) -> Finding:
    if notice.federation:
        return federations.finding(notice)
    sentences = [*_facts(notice), *_failed(notice.consumers), *_keyless(notice), *notice.remarks]
    sentences += [f"Before that: {', '.join(map(_passed, before))}."] if before else []
    return Finding(
        code=notice.kind,
        vault=notice.vault,
        secret=notice.secret,
        subject=notice.application_name,
        message=" ".join(sentences),
        what_to_do=notice.what_to_do or _advice(notice),
    )


def _facts(notice: Notice) -> list[str]:
    until = moment(notice.old_valid_until) if notice.old_valid_until else ""
    facts = [f"Step {notice.failed_step}."] if notice.failed_step else []
    facts += [f"{notice.message} ({notice.code})" if notice.code else notice.message] if notice.message else []
    if notice.sighting:
        caller = who(notice.sighting)
        facts += [f"{caller}: {sentence(notice.sighting)}" if caller else sentence(notice.sighting)]
    if notice.new_version:
        expires = f", expires {moment(notice.new_expires)}" if notice.new_expires else ""
        facts.append(f"New version {notice.new_version}{expires}.")
    if until:
        facts.append(f"The old {noun(notice)} works until {until}.")
    elif notice.kind is NoticeKind.DONE:
        facts.append(f"The old {noun(notice)} was retired.")
    return facts


def _failed(consumers: Sequence[ConsumerResult]) -> list[str]:
    return [f"{c.uri} failed ({c.code}): {c.message}" for c in consumers if c.code]


def _keyless(notice: Notice) -> list[str]:
    if notice.kind is not NoticeKind.NOTHING_LEFT:
        return []
    return [f"{c.uri} needs no key any more: {c.keyless}." for c in notice.consumers if c.keyless]


def _advice(notice: Notice) -> str:
    if notice.to_act:
        return by_hand.advice(notice)
    told = notice.kind in PLANNED
    return "" if told else "Ask the operators of Rekey to look at this rotation."
