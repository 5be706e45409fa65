"""How the news of many rotations become lines of one mail: the latest of each rotation, with the facts that matter."""

from collections.abc import Iterable, Sequence

from rekey.model import ConsumerResult, Finding, Notice, NoticeKind
from rekey.notices.identity import digest_id
from rekey.notices.outbox import Waiting
from rekey.notices.wording import moment, noun

PLANNED = (NoticeKind.STARTING, NoticeKind.SWITCHED, NoticeKind.DONE)
"""What merely goes as planned, in its order: of one rotation the last of them says it all."""


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
    before: dict[tuple[str, str, str], list[Notice]] = {}
    for notice in notices:
        if notice.kind in PLANNED:
            before.setdefault(_rotation(notice), []).append(notice)
    for notice in notices:
        planned = before.get(_rotation(notice), [])
        if notice.kind is NoticeKind.DIGEST:
            yield from notice.findings
        elif notice.kind not in PLANNED:
            yield _finding(notice, ())
        elif notice is max(planned, key=_place):
            yield _finding(notice, sorted((p for p in planned if p is not notice), key=_place))


def _rotation(notice: Notice) -> tuple[str, str, str]:
    return notice.rotation_id, notice.vault.lower(), notice.secret.lower()


def _place(notice: Notice) -> int:
    return PLANNED.index(notice.kind)


def _finding(notice: Notice, before: Sequence[Notice]) -> Finding:
    sentences = [*_facts(notice), *_failed(notice.consumers), *notice.remarks]
    sentences += [f"Before that: {', '.join(p.kind for p in before)}."] if before else []
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


def _advice(notice: Notice) -> str:
    told = notice.kind in PLANNED
    return "" if told else "Ask the operators of Rekey to look at this rotation."
