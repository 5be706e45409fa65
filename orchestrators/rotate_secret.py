"""The runbook: one walk for one managed secret, from the first question to the last notice.

Before `set_secret_version` a failure undoes what was made and ends the rotation. After it nothing is torn down: both
credentials work, so the owners are told what failed and the rotation keeps trying until the old credential's end.
"""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.consumers import Consumers
from orchestrators.forwarding import rotation_forwarded
from orchestrators.grace import Grace
from orchestrators.progress import Progress
from orchestrators.rotation_steps import RotationSteps
from orchestrators.telling import Teller
from rekey import names
from rekey.due import grace_until
from rekey.model import (
    NOTHING_LEFT,
    Facts,
    Issued,
    Published,
    Question,
    Reading,
    Reason,
    Retired,
    RotationRequest,
    Undone,
    Walk,
    decode,
)

blueprint = df.Blueprint()

LISTS_LAG = timedelta(seconds=15)
"""After more than one attempt to generate, what is left of them is looked for twice: an issuer's lists lag."""


class RotationFailed(Exception):  # noqa: N818 - it says how the rotation ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.ROTATE_SECRET)
def rotate_secret(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Rotate one secret, or say why not; RotationFailed if it went wrong.

    Ends `done`, `not-due`, `nothing-left`, `superseded` or `forwarded`.
    """
    request = _parsed(payload)
    forwarded = yield from rotation_forwarded(context, request)
    if forwarded:
        return forwarded
    rotation = Rotate(context, request, context.new_uuid())
    return (yield from rotation.run())


def _parsed(payload: Any) -> RotationRequest:
    try:
        return RotationRequest.parse(payload)
    except ValueError as error:
        raise RotationFailed(str(error)) from None


class Rotate:
    """One rotation on its way through the steps."""

    def __init__(self, ctx: OrchestrationContext, request: RotationRequest, rotation_id: str) -> None:
        self.ctx = ctx
        self.request = request
        self.rotation_id = rotation_id
        self.progress = Progress(ctx, rotation_id)
        self.tell = Teller(ctx)
        self.steps = RotationSteps(ctx, self.progress, self.tell)
        self.grace = Grace(ctx, self.steps)
        self.consumers = Consumers(ctx, self.steps, self.grace)

    def run(self) -> Steps[Any]:
        """Walk all the way, or as far as it goes."""
        reading = yield from self.read_policy()
        if reading.rotation is None:
            self.progress.at(names.READ_POLICY, "not-due")
            return {"result": "not-due", "reason": reading.not_due}
        walk = Walk(rotation=reading.rotation)
        try:
            yield from self.steps.once(names.OPEN_RECORD, walk)
            walk = yield from self.check(walk)
            if walk.facts and walk.facts.nothing_left():
                return (yield from self.stop_rotating(walk))
            yield from self.announce(walk)
            walk = yield from self.make_and_publish(walk)
            yield from self.switch_and_retire(walk)
        except StepFailed as failure:
            return (yield from self.end_failed(walk, failure))
        return {"result": "done", "rotation_id": self.rotation_id}

    def read_policy(self) -> Steps[Reading]:
        """Decide whether there is anything to do; bad tags are told to the owners and end the instance."""
        started = now(self.ctx)
        question = Question(request=self.request, rotation_id=self.rotation_id, started=started)
        try:
            reading = decode((yield from self.steps.once(names.READ_POLICY, question)), Reading)
        except StepFailed as failure:
            yield from self.tell.unread(self.rotation_id, self.request, failure)
            raise RotationFailed(str(failure)) from None
        if reading.bad:
            yield from self.tell.bad_policy(self.rotation_id, self.request, reading.bad)
            raise RotationFailed("; ".join(reading.bad.errors))
        return reading

    def check(self, walk: Walk) -> Steps[Walk]:
        """Check everything, changing nothing."""
        facts = decode((yield from self.steps.once(names.PREFLIGHT, walk)), Facts)
        self.tell.remarks += facts.remarks
        return walk.but(facts=facts, rotation=walk.rotation.knowing(facts))

    def announce(self, walk: Walk) -> Steps[None]:
        """Say what is going to happen."""
        self.require_no_gate(walk)
        yield from self.tell.starting(walk)

    def stop_rotating(self, walk: Walk) -> Steps[Any]:
        """End where every consumer signs in without a key: nothing is made; what leaked is retired all the same."""
        if walk.rotation.reason == Reason.LEAK and walk.rotation.old_key_id:
            yield from self.steps.insisted(names.RETIRE_OLD_CREDENTIAL, walk)
        yield from self.tell.nothing_left(walk)
        yield from self.steps.once(names.CLOSE_RECORD, walk.but(result=NOTHING_LEFT))
        self.progress.at(names.CLOSE_RECORD, NOTHING_LEFT)
        needless = {target.uri: target.keyless for target in walk.facts.keyless()} if walk.facts else {}
        return {"result": NOTHING_LEFT, "rotation_id": self.rotation_id, "needs_no_key": needless}

    def require_no_gate(self, walk: Walk) -> None:
        """[approval] and [window] have their place here; until they are built, a policy asking for one is refused."""
        for tag in walk.rotation.gates():
            raise StepFailed(
                "approval",
                "gate-not-built",
                f"{tag} asks this rotation to wait, which this version of Rekey can't do yet",
                f"Remove {tag} to rotate without it, or start the rotation when it suits you and remove it then.",
            )

    def make_and_publish(self, walk: Walk) -> Steps[Walk]:
        """Generate, verify, publish. Up to here a failure is undone."""
        try:
            issued = decode((yield from self.steps.once(names.GENERATE_CREDENTIAL, walk)), Issued)
            walk = walk.but(issued=issued)
            yield from self.steps.once(names.VERIFY_CREDENTIAL, walk)
            published = decode((yield from self.steps.once(names.SET_SECRET_VERSION, walk)), Published)
        except StepFailed as failure:
            published = yield from self.undo(walk, failure)
        return walk.but(published=published)

    def undo(self, walk: Walk, failure: StepFailed) -> Steps[Published]:
        """Undo what was made and fail; only if the new version is out after all, return it and go on."""
        try:
            undone = decode((yield from self.steps.once(names.UNDO_GENERATION, walk)), Undone)
            if undone.look_again:
                yield self.ctx.create_timer(now(self.ctx) + LISTS_LAG)
                yield from self.steps.once(names.UNDO_GENERATION, walk)
        except StepFailed as second:
            self.tell.remarks.append(f"Undoing failed as well ({second}): the nightly reconcile removes what was left.")
            raise failure from None
        if undone.published and walk.issued:
            return undone.published
        raise failure

    def switch_and_retire(self, walk: Walk) -> Steps[None]:
        """Switch the consumers, wait, retire the old credential, tell everybody. Nothing is torn down any more."""
        rotation = walk.rotation
        if rotation.policy.disable_old == "now":
            yield from self.steps.insisted(names.DISABLE_OLD_VERSION, walk)
        results = yield from self.consumers.switch(walk)
        walk = walk.but(since=now(self.ctx))
        until = grace_until(rotation.policy, now(self.ctx), rotation.expires)
        yield from self.tell.switched(walk, results, until)
        yield from self.grace.pass_by(walk, until)
        yield from self.consumers.acknowledged(walk)
        yield from self.grace.unused(walk)
        results = yield from self.consumers.asked_again(walk, results)
        if self.grace.enabled or rotation.policy.disable_old == "at-retire":
            yield from self.steps.insisted(names.DISABLE_OLD_VERSION, walk)
        retired = decode((yield from self.steps.insisted(names.RETIRE_OLD_CREDENTIAL, walk)), Retired)
        if retired.look_again:
            yield self.ctx.create_timer(now(self.ctx) + LISTS_LAG)
            yield from self.steps.insisted(names.RETIRE_OLD_CREDENTIAL, walk)
        yield from self.tell.done(walk, results, retired.remark)
        yield from self.steps.insisted(names.CLOSE_RECORD, walk.but(result="done"))
        self.progress.at(names.CLOSE_RECORD, "done")

    def end_failed(self, walk: Walk, failure: StepFailed) -> Steps[Any]:
        """Tell the owners, close the record, end the instance; a rotation that somebody overtook ends `superseded`."""
        yield from self.tell.failed(walk, failure)
        superseded = failure.code == "superseded"
        result = "superseded" if superseded else "failed"
        try:
            yield from self.steps.once(names.CLOSE_RECORD, walk.but(result=result))
        except StepFailed:
            self.progress.at(names.CLOSE_RECORD, "failed", waiting_for="the nightly reconcile")
        if superseded:
            return {"result": result, "rotation_id": self.rotation_id, "reason": failure.message}
        raise RotationFailed(str(failure))
