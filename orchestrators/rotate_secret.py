"""The runbook: one walk for one managed secret, from the first question to the last notice.

Before `set_secret_version` a failure undoes what was made and ends the rotation. After it nothing is torn down: both
credentials work, so the owners are told what failed and the rotation keeps trying until the old credential's end.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df
import msgspec
from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_all, when_any

from orchestrators.attempts import StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.forwarding import rotation_forwarded
from orchestrators.progress import Progress
from orchestrators.telling import Teller
from rekey import names
from rekey.due import grace_until
from rekey.model import (
    ConsumerResult,
    ConsumerTarget,
    Decided,
    Facts,
    Issued,
    Published,
    Question,
    Reading,
    Reason,
    Retired,
    RotationRequest,
    Undone,
    UseCheck,
    Walk,
    When,
    decode,
    encode,
)

blueprint = df.Blueprint()

FIRST_ROUND = timedelta(minutes=5)
LONGEST_ROUND = timedelta(hours=4)
"""How long a rotation that told somebody waits before it tries again on its own: doubled from the first."""


LOOKS_AGAIN = timedelta(days=1)
"""How long a rotation waits for an acknowledgement before it reads the record again: an event may get lost."""

LISTS_LAG = timedelta(seconds=15)
"""After more than one attempt to generate, what is left of them is looked for twice: an issuer's lists lag."""


class RotationFailed(Exception):  # noqa: N818 - it says how the rotation ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.ROTATE_SECRET)
def rotate_secret(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Rotate one secret, or say why not: `done`, `not-due`, `superseded` or `forwarded`; RotationFailed otherwise."""
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

    def run(self) -> Steps[Any]:
        """Walk all the way, or as far as it goes."""
        reading = yield from self.read_policy()
        if reading.rotation is None:
            self.progress.at(names.READ_POLICY, "not-due")
            return {"result": "not-due", "reason": reading.not_due}
        walk = Walk(rotation=reading.rotation)
        try:
            yield from self.step(names.OPEN_RECORD, walk)
            walk = yield from self.prepare(walk)
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
            reading = decode((yield from self.step(names.READ_POLICY, question)), Reading)
        except StepFailed as failure:
            yield from self.tell.unread(self.rotation_id, self.request, failure)
            raise RotationFailed(str(failure)) from None
        if reading.bad:
            yield from self.tell.bad_policy(self.rotation_id, self.request, reading.bad)
            raise RotationFailed("; ".join(reading.bad.errors))
        return reading

    def prepare(self, walk: Walk) -> Steps[Walk]:
        """Check everything and announce it, changing nothing."""
        facts = decode((yield from self.step(names.PREFLIGHT, walk)), Facts)
        walk = walk.but(facts=facts, rotation=walk.rotation.knowing(facts))
        self.tell.remarks += facts.remarks
        self.require_no_gate(walk)
        yield from self.tell.starting(walk)
        return walk

    def require_no_gate(self, walk: Walk) -> None:
        """[approval] and [window] have their place here; until they are built, a policy asking for one is refused."""
        policy = walk.rotation.policy
        if self.request.reason == Reason.LEAK:
            return
        for tag, asked in (("rekey-approval", policy.approval), ("rekey-window", policy.window)):
            if asked:
                raise StepFailed(
                    "approval",
                    "gate-not-built",
                    f"{tag} asks this rotation to wait, which this version of Rekey can't do yet",
                    f"Remove {tag} to rotate without it, or start the rotation when it suits you and remove it then.",
                )

    def make_and_publish(self, walk: Walk) -> Steps[Walk]:
        """Generate, verify, publish. Up to here a failure is undone."""
        try:
            issued = decode((yield from self.step(names.GENERATE_CREDENTIAL, walk)), Issued)
            walk = walk.but(issued=issued)
            yield from self.step(names.VERIFY_CREDENTIAL, walk)
            published = decode((yield from self.step(names.SET_SECRET_VERSION, walk)), Published)
        except StepFailed as failure:
            published = yield from self.undo(walk, failure)
        return walk.but(published=published)

    def undo(self, walk: Walk, failure: StepFailed) -> Steps[Published]:
        """Undo what was made and fail; only if the new version is out after all, return it and go on."""
        try:
            undone = decode((yield from self.step(names.UNDO_GENERATION, walk)), Undone)
            if undone.look_again:
                yield self.ctx.create_timer(now(self.ctx) + LISTS_LAG)
                yield from self.step(names.UNDO_GENERATION, walk)
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
            yield from self.insisted(names.DISABLE_OLD_VERSION, walk)
        results = yield from self.switch_consumers(walk)
        until = grace_until(rotation.policy, now(self.ctx), rotation.expires)
        yield from self.tell.switched(walk, results, until)
        yield from self.grace(until)
        yield from self.acknowledgements(walk)
        use = decode((yield from self.insisted(names.CHECK_OLD_CREDENTIAL_USE, walk)), UseCheck)
        self.tell.remarks += [use.remark] if use.remark else []
        if rotation.policy.disable_old == "at-retire":
            yield from self.insisted(names.DISABLE_OLD_VERSION, walk)
        retired = decode((yield from self.insisted(names.RETIRE_OLD_CREDENTIAL, walk)), Retired)
        if retired.look_again:
            yield self.ctx.create_timer(now(self.ctx) + LISTS_LAG)
            yield from self.insisted(names.RETIRE_OLD_CREDENTIAL, walk)
        yield from self.tell.done(walk, results, retired.remark)
        yield from self.insisted(names.CLOSE_RECORD, walk.but(result="done"))
        self.progress.at(names.CLOSE_RECORD, "done")

    def switch_consumers(self, walk: Walk) -> Steps[Sequence[ConsumerResult]]:
        """Tell all consumers; those that try out what others hold come after them, people come last."""
        targets = walk.facts.consumers if walk.facts else ()
        results: dict[str, ConsumerResult] = {}
        yield from self.switch_some(walk, [t for t in targets if t.when == When.WITH_OTHERS], results)
        if after := [t for t in targets if t.when == When.AFTER_OTHERS]:
            yield from self.switch_some(walk, after, results)
        results |= {t.uri: ConsumerResult(uri=t.uri, by_hand=True) for t in targets if t.when == When.BY_HAND}
        return [results[t.uri] for t in targets]

    def switch_some(
        self, walk: Walk, targets: Sequence[ConsumerTarget], results: dict[str, ConsumerResult]
    ) -> Steps[None]:
        """Tell these consumers side by side; those that fail are tried again until the old credential's end."""
        total = len(walk.facts.consumers) if walk.facts else 0
        for round_number in itertools.count():
            pending = [t for t in targets if t.uri not in results or results[t.uri].code]
            self._count(total, results)
            self.progress.at(names.UPDATE_CONSUMER)
            calls: list[Task[Any]] = [
                self.ctx.call_sub_orchestrator(
                    names.SWITCH_CONSUMER, input=encode(walk.but(target=t)), return_type=dict
                )
                for t in pending
            ]
            results |= {r.uri: r for r in (yield from self._all(calls, pending))}
            failed = [r for r in results.values() if r.code]
            self._count(total, results)
            if not failed:
                return
            failure = StepFailed(names.UPDATE_CONSUMER, failed[0].code, failed[0].message, failed[0].what_to_do)
            yield from self.wait_for_somebody(walk, failure, round_number, list(results.values()))

    def _all(self, calls: list[Task[Any]], targets: Sequence[ConsumerTarget]) -> Steps[list[ConsumerResult]]:
        if not calls:
            return []
        try:
            answers = yield when_all(calls)
        except TaskFailedError:  # one of them died outside its frame; each is safe to repeat
            died = "the update ended without an outcome"
            return [ConsumerResult(uri=t.uri, code="consumer-died", message=died) for t in targets]
        return [decode(answer, ConsumerResult) for answer in answers]

    def grace(self, until: datetime) -> Steps[None]:
        """Leave both credentials valid."""
        if self.request.reason == Reason.LEAK:
            return
        self.progress.at(names.GRACE, "waiting", until=until, waiting_for="the end of the grace period")
        yield self.ctx.create_timer(until)

    def acknowledgements(self, walk: Walk) -> Steps[None]:
        """Leave both credentials valid until everybody who had to act by hand has, or the old one's own end."""
        told = False
        while missing := (yield from self.unacknowledged(walk)):
            end = walk.rotation.deadline()
            if now(self.ctx) >= end:
                self.tell.remarks.append(f"Nobody acknowledged {', '.join(missing)} before the old credential's end.")
                return
            if not told:
                yield from self.tell.needs_you(walk, _unacknowledged(walk, missing))
                told = True
            waiting_for = f"{len(missing)} to be acknowledged"
            until = min(end, now(self.ctx) + LOOKS_AGAIN)
            self.progress.at(names.GRACE, "needs-you", until=until, waiting_for=waiting_for)
            decided = self.ctx.wait_for_external_event(names.DECISION_EVENT)
            yield when_any([decided, self.ctx.create_timer(until)])

    def unacknowledged(self, walk: Walk) -> Steps[list[str]]:
        """Return the consumers that nobody has said to have the new credential, by what the record says."""
        by_hand = [t.uri for t in walk.facts.consumers if t.when == When.BY_HAND] if walk.facts else []
        if not by_hand:
            return []
        decided = decode((yield from self.insisted(names.READ_DECISIONS, walk)), Decided)
        return [uri for uri in by_hand if uri not in decided.acknowledged]

    def step(self, name: str, payload: msgspec.Struct) -> Steps[Any]:
        """Run one step, visibly; StepFailed if it can't be done within its time."""
        self.progress.at(name)
        return (yield from attempted(self.ctx, name, payload))

    def insisted(self, name: str, walk: Walk) -> Steps[Any]:
        """Run one step after the switch: a failure is told, and tried again until the old credential's end."""
        for round_number in itertools.count():
            try:
                return (yield from self.step(name, walk))
            except StepFailed as failure:
                yield from self.wait_for_somebody(walk, failure, round_number)
        return None

    def wait_for_somebody(
        self, walk: Walk, failure: StepFailed, round_number: int, results: Sequence[ConsumerResult] = ()
    ) -> Steps[None]:
        """Tell that somebody is needed, once, and wait a round; StepFailed when the deadline would pass.

        The operator's decisions (retry, skip-consumer, rollback, abandon) will be raced with this timer.
        """
        if round_number == 0:
            yield from self.tell.needs_you(walk, failure, results)
        again = now(self.ctx) + min(LONGEST_ROUND, FIRST_ROUND * 2 ** min(round_number, 10))
        if again > walk.rotation.deadline():
            raise failure
        self.progress.at(failure.step, "needs-you", until=again, waiting_for=failure.code)
        yield self.ctx.create_timer(again)

    def end_failed(self, walk: Walk, failure: StepFailed) -> Steps[Any]:
        """Tell the owners, close the record, end the instance; a rotation that somebody overtook ends `superseded`."""
        yield from self.tell.failed(walk, failure)
        superseded = failure.code == "superseded"
        result = "superseded" if superseded else "failed"
        try:
            yield from self.step(names.CLOSE_RECORD, walk.but(result=result))
        except StepFailed:
            self.progress.at(names.CLOSE_RECORD, "failed", waiting_for="the nightly reconcile")
        if superseded:
            return {"result": result, "rotation_id": self.rotation_id, "reason": failure.message}
        raise RotationFailed(str(failure))

    def _count(self, total: int, results: dict[str, ConsumerResult]) -> None:
        failed = sum(1 for r in results.values() if r.code)
        self.progress.consumers = {"total": total, "confirmed": len(results) - failed, "failed": failed}


def _unacknowledged(walk: Walk, missing: Sequence[str]) -> StepFailed:
    return StepFailed(
        names.GRACE,
        "not-acknowledged",
        f"nobody has said yet that these have the new credential: {', '.join(missing)}",
        f"Once they have it: python -m rekey acknowledge {walk.rotation.id} {missing[0]}. The old credential works "
        "until then, at most until its own end.",
    )
