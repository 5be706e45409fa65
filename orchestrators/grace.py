"""How long the old credential stays: its grace, and as long again while somebody is seen to need it.

Whoever may read the secret and was refused the old version gets it back, for that long; after a leak nobody does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.rotation_steps import RotationSteps
from orchestrators.waiting import event_or
from rekey import names
from rekey.due import grace_until
from rekey.model import Decided, Reason, Refusal, UseCheck, Walk, decode

AT_LEAST = timedelta(days=7)
"""How long it may last beyond its plain end if the old credential has no end of its own."""


class Grace:
    """The grace of one rotation."""

    def __init__(self, ctx: OrchestrationContext, steps: RotationSteps) -> None:
        self._ctx = ctx
        self._steps = steps
        self._heard: set[str] = set()
        self._in_vain = False
        self._until = self._latest = now(ctx)
        self.enabled = False
        """The old version was enabled again, so that it is to be disabled before the end."""

    def pass_by(self, walk: Walk, until: datetime) -> Steps[None]:
        """Leave both credentials valid until then, longer if a reader turns out to be refused the old version."""
        if walk.rotation.reason == Reason.LEAK:
            return
        self._latest = walk.rotation.expires or until + AT_LEAST
        self._until = until
        yield from self._wait(walk)

    def unused(self, walk: Walk) -> Steps[None]:
        """Look whether the old credential is still used, and extend the grace as long as it is, up to its own end."""
        while True:
            yield from self._wait(walk)
            use = decode((yield from self._steps.insisted(names.CHECK_OLD_CREDENTIAL_USE, walk)), UseCheck)
            if not use.used_by or walk.rotation.reason == Reason.LEAK or now(self._ctx) >= self._latest:
                break
            self._extend(walk)
            yield from self._heed(walk, use.refused)
            yield from self._steps.tell.still_used(walk, use, self._until)
            walk = walk.but(since=use.last or now(self._ctx))
        self._steps.tell.remarks += _remarks(use)

    def heard(self, walk: Walk) -> Steps[Decided]:
        """Return what is on the record, once whoever was refused has the old version back."""
        decided = decode((yield from self._steps.insisted(names.READ_DECISIONS, walk)), Decided)
        yield from self._heed(walk, decided.refused)
        return decided

    def event_or(self, until: datetime) -> Steps[bool]:
        """Wait until then, or for the event which says that there is something on the record: then it is True."""
        return (yield from event_or(self._ctx, until))

    def _wait(self, walk: Walk) -> Steps[None]:
        while now(self._ctx) < self._until:
            self._steps.progress.at(
                names.GRACE, "waiting", until=self._until, waiting_for="the end of the grace period"
            )
            if not (yield from self.event_or(self._until)):
                return
            yield from self._look(walk)

    def _look(self, walk: Walk) -> Steps[None]:
        try:
            found = yield from self._steps.once(names.READ_DECISIONS, walk.but(until=self._until))
        except StepFailed:
            return  # it stays on the record, which is looked at again before anything is retired
        yield from self._heed(walk, decode(found, Decided).refused)

    def _heed(self, walk: Walk, refused: Sequence[Refusal]) -> Steps[None]:
        """Enable the old version for those who were refused; a failure is told once, the next refusal tries again."""
        new = [r for r in refused if r.who() not in self._heard]
        rotation = walk.rotation
        if not new or rotation.reason == Reason.LEAK or rotation.policy.disable_old != "now":
            return
        failure = None
        try:
            yield from self._steps.once(names.ENABLE_OLD_VERSION, walk.but(until=self._until))
        except StepFailed as caught:
            failure = caught
        if failure and self._in_vain:
            return
        if failure:
            self._in_vain = True
        else:
            self.enabled = True
            self._heard |= {r.who() for r in new}
            self._extend(walk)
        yield from self._steps.tell.refused(walk, new, self._until, failure)

    def _extend(self, walk: Walk) -> None:
        again = grace_until(walk.rotation.policy, now(self._ctx), self._latest)
        self._until = max(self._until, again)


def _remarks(use: UseCheck) -> list[str]:
    remarks = [use.remark] if use.remark else []
    if use.used_by:
        remarks.append(f"The old credential was still used when it was retired, by {'; '.join(use.used_by)}.")
    return remarks
