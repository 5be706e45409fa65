"""Who is told what at which point of a rotation; a mail that doesn't go out waits, the rotation doesn't."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps
from orchestrators.sending import Sender, of_failure
from rekey.model import (
    NOT_ACKNOWLEDGED,
    BadPolicy,
    ConsumerResult,
    ConsumerTarget,
    Notice,
    NoticeKind,
    Reason,
    Refusal,
    RotationRequest,
    Telling,
    UseCheck,
    Walk,
    When,
)
from rekey.model.audit import Alert

CAN_WAIT = frozenset({NoticeKind.STARTING, NoticeKind.SWITCHED, NoticeKind.DONE, NoticeKind.NOTHING_LEFT})
"""What merely goes as planned; of a rotation that is one of many it is told in the next digest."""


class Teller(Sender):
    """Writes the notices of one rotation."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        super().__init__(ctx)
        self.acknowledged: dict[str, str] = {}
        """By consumer URI, who said that it has the new credential."""

    def starting(self, walk: Walk) -> Steps[None]:
        """Say that the rotation begins and what it is going to do."""
        targets = walk.facts.consumers if walk.facts else ()
        planned = [ConsumerResult(uri=t.uri, by_hand=t.when == When.BY_HAND, keyless=t.keyless) for t in targets]
        yield from self._tell(walk, NoticeKind.STARTING, consumers=tuple(planned))

    def switched(self, walk: Walk, results: Sequence[ConsumerResult], old_valid_until: datetime) -> Steps[None]:
        """Say that the new credential is out, and until when the old one works; ask those who act by hand to do so.

        After a leak nothing is promised: the old one is retired as soon as nobody needs it.
        """
        until = None if walk.rotation.reason == Reason.LEAK else old_valid_until
        told = self._telling(walk, NoticeKind.SWITCHED, consumers=tuple(results), old_valid_until=until)
        yield from self._send_each([told, *_asking(walk, NoticeKind.SWITCHED, _by_hand(walk), until)])

    def done(self, walk: Walk, results: Sequence[ConsumerResult], left: str) -> Steps[None]:
        """Say that the rotation is over; `left` says which old credential was left to expire, if it was."""
        until = walk.rotation.expires if left else None
        remarks = [*self.remarks, left] if left else self.remarks
        yield from self._tell(
            walk, NoticeKind.DONE, consumers=self.dressed(results), old_valid_until=until, remarks=tuple(remarks)
        )

    def nothing_left(self, walk: Walk) -> Steps[None]:
        """Say, once per version, that no consumer needs the credential any more; after a leak that it was retired."""
        rotation, facts = walk.rotation, walk.facts
        consumers = [ConsumerResult(uri=t.uri, keyless=t.keyless) for t in facts.keyless()] if facts else ()
        leaked = rotation.reason == Reason.LEAK
        told = self._telling(
            walk,
            NoticeKind.NOTHING_LEFT,
            consumers=tuple(consumers),
            old_valid_until=None if leaked else rotation.expires,
            message=facts.left_alone if facts else "",
            what_to_do="Remove Rekey's tags from the newest version, or delete the secret if nobody else reads it.",
        )
        once = f"nothing-left {rotation.vault} {rotation.secret} {rotation.old_version}".lower()
        yield from self.send(told if leaked else msgspec.structs.replace(told, once=once))

    def failed(self, walk: Walk, failure: StepFailed) -> Steps[None]:
        """Say that the rotation was given up, and what to do."""
        yield from self._tell(walk, NoticeKind.FAILED, **of_failure(failure))

    def needs_you(self, walk: Walk, failure: StepFailed, results: Sequence[ConsumerResult] = ()) -> Steps[None]:
        """Say that the rotation can't go on without somebody; it keeps trying."""
        yield from self._tell(
            walk, NoticeKind.NEEDS_YOU, consumers=tuple(results), key=failure.step, **of_failure(failure)
        )

    def unacknowledged(
        self, walk: Walk, failure: StepFailed, missing: Sequence[ConsumerTarget], old_valid_until: datetime
    ) -> Steps[None]:
        """Say that people have not acted yet, to those who look after the secret and to each of those people."""
        results = self.dressed([ConsumerResult(uri=target.uri, by_hand=True) for target in _by_hand(walk)])
        facts = {"consumers": results, "key": failure.step, "old_valid_until": old_valid_until}
        told = self._telling(walk, NoticeKind.NEEDS_YOU, **facts, **of_failure(failure))
        yield from self._send_each([told, *_asking(walk, NoticeKind.NEEDS_YOU, missing, old_valid_until)])

    def still_used(self, walk: Walk, use: UseCheck, until: datetime) -> Steps[None]:
        """Say who still uses the old credential, and that it stays for them until then."""
        yield from self._tell(
            walk,
            NoticeKind.STILL_USED,
            key=f"used {until.isoformat()}",
            code="still-used",
            message="; ".join(use.used_by),
            old_valid_until=until,
        )

    def refused(
        self, walk: Walk, refusals: Sequence[Refusal], until: datetime, failure: StepFailed | None
    ) -> Steps[None]:
        """Say which readers were refused the old version, and that it is enabled again, or why it couldn't be."""
        who = "; ".join(refusal.who() for refusal in refusals)
        why = of_failure(failure) if failure else {"code": "old-version-enabled", "message": "", "failed_step": ""}
        said = f"refused because the old version is disabled: {who}. {why['message']}".strip()
        yield from self._tell(
            walk,
            NoticeKind.STILL_USED,
            key=f"refused {until.isoformat()} {who}",
            old_valid_until=until,
            **{**why, "message": said},
        )

    def dressed(self, results: Sequence[ConsumerResult]) -> tuple[ConsumerResult, ...]:
        """Return the results with what was acknowledged meanwhile as confirmed."""
        said = {uri: f"an acknowledgement ({by})" for uri, by in self.acknowledged.items()}
        return tuple(msgspec.structs.replace(r, confirmed_by=said.get(r.uri, r.confirmed_by)) for r in results)

    def unread(self, rotation_id: str, request: RotationRequest, failure: StepFailed) -> Steps[None]:
        """Tell the operators that a rotation failed before its policy, and so its owners, could be read."""
        notice = Notice(
            kind=NoticeKind.FAILED,
            rotation_id=rotation_id,
            vault=request.vault,
            secret=request.secret,
            to=(),
            reason=request.reason,
            **of_failure(failure),
        )
        yield from self.send(Telling(notice=notice, has_record=False))

    def bad_policy(self, rotation_id: str, request: RotationRequest, bad: BadPolicy) -> Steps[None]:
        """Say, once per version, which tags can't be used."""
        notice = Notice(
            kind=NoticeKind.BAD_POLICY,
            rotation_id=rotation_id,
            vault=request.vault,
            secret=request.secret,
            to=(),
            key=bad.version,
            reason=request.reason,
            code="bad-tag",
            remarks=bad.errors,
            what_to_do="Correct the tags named above; nothing was changed.",
        )
        once = f"bad-policy {request.vault} {request.secret} {bad.version}".lower()
        yield from self.send(Telling(notice=notice, owners=bad.owners, once=once, has_record=False))

    def digest(self, notice: Notice) -> Steps[None]:
        """Send a mail that is about no single rotation."""
        yield from self.send(Telling(notice=notice, has_record=False))

    def alert(self, alert: Alert) -> Steps[bool]:
        """Tell what was seen in an audit log; False if it could be neither sent nor kept."""
        telling = Telling(notice=alert.notice, owners=alert.owners, has_record=False)
        return (yield from self.send(telling.kept() if self.down else telling))

    def _tell(self, walk: Walk, kind: NoticeKind, **more: Any) -> Steps[None]:
        yield from self.send(self._telling(walk, kind, **more))

    def _telling(self, walk: Walk, kind: NoticeKind, **more: Any) -> Telling:
        rotation, facts = walk.rotation, walk.facts
        return Telling(
            notice=_notice(walk, kind, **{"remarks": tuple(self.remarks), **more}),
            owners=rotation.policy.owners,
            notify=rotation.policy.notify,
            application_owners=facts.owners if facts else (),
            digest=rotation.digest and kind in CAN_WAIT,
        )

    def _send_each(self, tellings: Sequence[Telling]) -> Steps[None]:
        for telling in tellings:
            yield from self.send(telling)


def _asking(
    walk: Walk, kind: NoticeKind, targets: Sequence[ConsumerTarget], old_valid_until: datetime | None
) -> Iterator[Telling]:
    """Ask each of those who act by hand for what is theirs to do: at once, and without a word on anything else."""
    for target in targets:
        notice = _notice(
            walk,
            kind,
            consumers=(ConsumerResult(uri=target.uri, by_hand=True),),
            old_valid_until=old_valid_until,
            key=target.uri,  # an owner who also has to act gets both
            to_act=True,
            code=NOT_ACKNOWLEDGED if kind == NoticeKind.NEEDS_YOU else "",
            contacts=walk.rotation.policy.owners,
        )
        yield Telling(notice=notice, third_parties=target.third_parties)


def _notice(walk: Walk, kind: NoticeKind, **more: Any) -> Notice:
    rotation, facts, published = walk.rotation, walk.facts, walk.published
    return Notice(
        kind=kind,
        rotation_id=rotation.id,
        vault=rotation.vault,
        secret=rotation.secret,
        to=(),
        credential=rotation.policy.credential,
        application_name=facts.display_name if facts else "",
        reason=rotation.reason,
        new_version=published.version if published else "",
        new_expires=published.expires if published else None,
        **more,
    )


def _by_hand(walk: Walk) -> tuple[ConsumerTarget, ...]:
    return walk.facts.by_hand() if walk.facts else ()
