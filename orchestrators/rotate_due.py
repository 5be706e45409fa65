"""The nightly sweep: look through the vaults, start what is due below the services' limits, tell what stood in the way.

Only this schedule of durable timers limits the starts: an app scales out, so that nothing in a process could. A sweep
may take hours; it goes on in a new execution with a cursor before its history gets long.
"""

from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df
import msgspec
from durabletask.task import OrchestrationContext

from orchestrators.attempts import PATIENCE as ATTEMPTS_PATIENCE
from orchestrators.attempts import StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.forwarding import alone_forwarded
from orchestrators.progress import place
from orchestrators.telling import Teller
from rekey import names
from rekey.model import Finding, Notice, NoticeKind, decode, encode
from rekey.model.sweep import Batch, Begun, Ended, Ending, Look, Looked, OfSweep, Planned, Round, Started, Sweep

blueprint = df.Blueprint()

MOST_STEPS = 20
"""Steps in one execution: fewer than 200 events of history, each of them replayed at each step."""

PATIENCE = timedelta(minutes=2)
"""How long one vault or one batch may hold up the others; what it leaves is for the next night."""

ROUNDS = 3
PAUSES = (timedelta(seconds=30), timedelta(minutes=5))
"""What could not be started is tried again in rounds of its own, after a pause, so that it never stops the rest."""


class RoomNeeded(Exception):  # noqa: N818 - what the sweep asks for
    """The history is long enough: the sweep goes on in the next execution."""


class PlanGone(Exception):  # noqa: N818 - what happened to it
    """Restarted after its end, with the cursor of then: a new sweep is meant."""


class SweepFailed(Exception):  # noqa: N818 - it says how the sweep ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.ROTATE_DUE)
def rotate_due(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Start what is due in every vault; `done` with what was counted, or `forwarded`."""
    forwarded = yield from alone_forwarded(context, names.ROTATE_DUE)
    if forwarded:
        return forwarded
    sweeping = RotateDue(context)
    try:
        return (yield from sweeping.run(payload))
    except RoomNeeded:
        context.continue_as_new(encode(sweeping.sweep))
    except PlanGone:
        context.continue_as_new(None)
    return None


class RotateDue:
    """One sweep, in one execution after the other."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        self.ctx = ctx
        self.steps = 0
        self.tell = Teller(ctx)
        self.sweep: Sweep

    def run(self, payload: Any) -> Steps[Any]:
        """Go on where the last execution stopped."""
        self.sweep = _carried(payload) or self.new()
        try:
            if not self.sweep.vaults:
                yield from self.begin()
            while self.sweep.waiting:
                yield from self.look(self.sweep.waiting[0])
            while self.sweep.round < ROUNDS:
                yield from self.start_round()
            return (yield from self.end())
        except StepFailed as failure:
            yield from self.tell_stopped(failure)
            raise SweepFailed(str(failure)) from None

    def new(self) -> Sweep:
        """Return a sweep that has done nothing yet."""
        return Sweep(run_id=self.ctx.new_uuid(), began=now(self.ctx))

    def begin(self) -> Steps[None]:
        """Find out which vaults there are."""
        begun = decode((yield from self.step(names.BEGIN_SWEEP, OfSweep(run_id=self.sweep.run_id))), Begun)
        self.sweep = self.sweep.but(waiting=begun.vaults, vaults=len(begun.vaults))

    def look(self, vault: str) -> Steps[None]:
        """Look through one vault; one that can't be read doesn't stop the others."""
        try:
            answer = yield from self.step(names.FIND_DUE, Look(run_id=self.sweep.run_id, vault=vault), PATIENCE)
        except StepFailed as failure:
            self.sweep = self.sweep.but(unreadable=self.sweep.unreadable + 1)
            self.find("vault-unreadable", failure, vault=vault)
        else:
            self.sweep = self.sweep.counting(decode(answer, Looked).counts)
        self.sweep = self.sweep.but(waiting=self.sweep.waiting[1:])

    def start_round(self) -> Steps[None]:
        """Start what is due, or what the round before could not start, batch by batch."""
        if self.sweep.batches is None:
            yield from self.plan()
        while self.sweep.batch < (self.sweep.batches or 0):
            yield from self.wait()
            yield from self.start_batch()
        again = self.sweep.round + 1 if self.sweep.missed else ROUNDS
        self.sweep = self.sweep.but(round=again, batches=None, batch=0)

    def plan(self) -> Steps[None]:
        """Have the round planned; its first batch is due at once."""
        if self.sweep.round:
            yield from self.sleep(now(self.ctx) + PAUSES[self.sweep.round - 1], "another try of what did not start")
        wanted = Round(run_id=self.sweep.run_id, round=self.sweep.round)
        planned = decode((yield from self.step(names.PLAN_STARTS, wanted)), Planned)
        self.sweep = self.sweep.but(
            batches=planned.batches, tolerance=planned.tolerance, origin=now(self.ctx), offset=0.0, missed=0
        )

    def wait(self) -> Steps[None]:
        """Wait for the next batch's time."""
        at = self.due()
        if at > now(self.ctx):
            yield from self.sleep(at, "the next batch's turn")

    def start_batch(self) -> Steps[None]:
        """Start one batch; one that fails as a whole is a finding, and the next one follows."""
        sweep = self.sweep
        batch = Batch(run_id=sweep.run_id, round=sweep.round, number=sweep.batch, began=sweep.began)
        following = sweep.offset + sweep.tolerance
        try:
            started = decode((yield from self.step(names.START_DUE, batch, PATIENCE)), Started)
        except StepFailed as failure:
            if failure.code == "plan-gone":
                raise PlanGone from None
            self.find("batch-failed", failure, subject=f"batch {sweep.batch + 1} of {sweep.batches}")
        else:
            following = started.next
            self.sweep = self.sweep.counting(started.counts).but(missed=sweep.missed + started.missed)
        self.sweep = self.sweep.but(batch=sweep.batch + 1, origin=self.origin_now(), offset=following)

    def due(self) -> datetime:
        """Return when the next batch's turn is."""
        return (self.sweep.origin or now(self.ctx)) + timedelta(seconds=self.sweep.offset)

    def origin_now(self) -> datetime:
        """Return where the plan begins after this batch: what is late stays late, for catching up would be a burst."""
        late = now(self.ctx) - self.due() - timedelta(seconds=self.sweep.tolerance)
        return (self.sweep.origin or now(self.ctx)) + max(late, timedelta())

    def end(self) -> Steps[Any]:
        """Tell what was done and found, if there was anything."""
        ending = Ending(run_id=self.sweep.run_id, last_round=ROUNDS - 1, findings=self.sweep.findings)
        ended = decode((yield from self.step(names.END_SWEEP, ending)), Ended)
        self.sweep = self.sweep.counting(ended.counts)
        if ended.findings or self.sweep.counts.get("due"):
            yield from self.tell.digest(self.notice(ended.findings))
        self.show(names.END_SWEEP, "done")
        return {"result": "done", "run_id": self.sweep.run_id, "counts": self.sweep.told()}

    def tell_stopped(self, failure: StepFailed) -> Steps[None]:
        """Say that the sweep could not go on: nothing is found or started until the next one."""
        self.find("sweep-stopped", failure, subject=failure.step)
        yield from self.tell.digest(self.notice(self.sweep.findings))
        self.show(failure.step, "failed")

    def notice(self, findings: tuple[Finding, ...]) -> Notice:
        """Return the one mail of this sweep."""
        return Notice(
            kind=NoticeKind.SWEEP,
            rotation_id=self.sweep.run_id,
            vault="",
            secret="",
            to=(),
            counts=self.sweep.told(),
            findings=findings,
        )

    def find(self, code: str, failure: StepFailed, *, vault: str = "", subject: str = "") -> None:
        """Keep a failure for the mail."""
        advice = failure.what_to_do or "The next nightly sweep tries again; what fails is in the app's log."
        found = Finding(code=code, vault=vault, subject=subject, message=failure.message, what_to_do=advice)
        self.sweep = self.sweep.but(findings=(*self.sweep.findings, found))

    def step(self, name: str, payload: OfSweep, patience: timedelta = ATTEMPTS_PATIENCE) -> Steps[Any]:
        """Run one step, visibly, if there is room for it in this execution's history."""
        if self.steps >= MOST_STEPS:
            raise RoomNeeded
        self.steps += 1
        self.show(name)
        return (yield from attempted(self.ctx, name, payload, patience))

    def sleep(self, until: datetime, waiting_for: str) -> Steps[None]:
        """Wait, visibly."""
        self.show(names.START_DUE, "waiting", until=until, waiting_for=waiting_for)
        yield self.ctx.create_timer(until)

    def show(self, step: str, state: str = "running", *, until: datetime | None = None, waiting_for: str = "") -> None:
        """Say where the sweep is: counts, no names."""
        sweep = self.sweep
        where = place(self.ctx, step, state, until=until, waiting_for=waiting_for)
        vaults = {"total": sweep.vaults, "waiting": len(sweep.waiting), "unreadable": sweep.unreadable}
        found, started = (sweep.counts.get(what, 0) for what in ("due", "started"))
        self.ctx.set_custom_status(
            {"run_id": sweep.run_id, **where, "vaults": vaults, "found": found, "started": started}
        )


def _carried(payload: Any) -> Sweep | None:
    """Return the cursor of the execution before; whatever else somebody starts a sweep with is ignored."""
    try:
        return decode(payload, Sweep)
    except msgspec.ValidationError:
        return None
