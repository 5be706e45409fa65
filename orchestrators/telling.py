"""Who is told what at which point of a rotation; a mail that doesn't go out waits, the rotation doesn't."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from rekey import names
from rekey.model import BadPolicy, ConsumerResult, Notice, NoticeKind, RotationRequest, Telling, Walk

MAIL_PATIENCE = timedelta(minutes=2)
"""How long a mail may hold up a rotation; after that it goes to the outbox."""

CAN_WAIT = frozenset({NoticeKind.STARTING, NoticeKind.SWITCHED, NoticeKind.DONE})
"""What merely goes as planned; of a rotation that is one of many it is told in the next digest."""


class Teller:
    """Writes the notices of one rotation."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        self._ctx = ctx
        self.remarks: list[str] = []

    def starting(self, walk: Walk) -> Steps[None]:
        """Say that the rotation begins and what it is going to do."""
        planned = [ConsumerResult(uri=c.uri) for c in walk.rotation.policy.consumers]
        yield from self._tell(walk, NoticeKind.STARTING, consumers=tuple(planned))

    def switched(self, walk: Walk, results: Sequence[ConsumerResult], old_valid_until: datetime) -> Steps[None]:
        """Say that the new credential is out, and until when the old one works."""
        yield from self._tell(walk, NoticeKind.SWITCHED, consumers=tuple(results), old_valid_until=old_valid_until)

    def done(self, walk: Walk, results: Sequence[ConsumerResult], left: str) -> Steps[None]:
        """Say that the rotation is over; `left` says which old credential was left to expire, if it was."""
        until = walk.rotation.expires if left else None
        remarks = [*self.remarks, left] if left else self.remarks
        yield from self._tell(
            walk, NoticeKind.DONE, consumers=tuple(results), old_valid_until=until, remarks=tuple(remarks)
        )

    def failed(self, walk: Walk, failure: StepFailed) -> Steps[None]:
        """Say that the rotation was given up, and what to do."""
        yield from self._tell(walk, NoticeKind.FAILED, **_of(failure))

    def needs_you(self, walk: Walk, failure: StepFailed, results: Sequence[ConsumerResult] = ()) -> Steps[None]:
        """Say that the rotation can't go on without somebody; it keeps trying."""
        yield from self._tell(walk, NoticeKind.NEEDS_YOU, consumers=tuple(results), key=failure.step, **_of(failure))

    def unread(self, rotation_id: str, request: RotationRequest, failure: StepFailed) -> Steps[None]:
        """Tell the operators that a rotation failed before its policy, and so its owners, could be read."""
        notice = Notice(
            kind=NoticeKind.FAILED,
            rotation_id=rotation_id,
            vault=request.vault,
            secret=request.secret,
            to=(),
            reason=request.reason,
            **_of(failure),
        )
        yield from self._send(Telling(notice=notice, has_record=False))

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
        yield from self._send(Telling(notice=notice, owners=bad.owners, once=once, has_record=False))

    def digest(self, notice: Notice) -> Steps[None]:
        """Send a mail that is about no single rotation."""
        yield from self._send(Telling(notice=notice, has_record=False))

    def _tell(self, walk: Walk, kind: NoticeKind, **more: Any) -> Steps[None]:
        rotation, facts, published = walk.rotation, walk.facts, walk.published
        notice = Notice(
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
            **{"remarks": tuple(self.remarks), **more},
        )
        telling = Telling(
            notice=notice,
            owners=rotation.policy.owners,
            notify=(*rotation.policy.notify, *(facts.third_parties if facts else ())),
            application_owners=facts.owners if facts else (),
            digest=rotation.digest and kind in CAN_WAIT,
        )
        yield from self._send(telling)

    def _send(self, telling: Telling) -> Steps[None]:
        try:
            yield from attempted(self._ctx, names.NOTIFY_OWNERS, telling, MAIL_PATIENCE)
        except StepFailed:
            try:
                yield from attempted(self._ctx, names.NOTIFY_OWNERS, telling.kept(), MAIL_PATIENCE)
            except StepFailed:
                self.remarks.append(f"The notice {telling.notice.kind} could be neither sent nor kept.")


def _of(failure: StepFailed) -> dict[str, Any]:
    return {
        "failed_step": failure.step,
        "code": failure.code,
        "message": failure.message,
        "what_to_do": failure.what_to_do,
    }
