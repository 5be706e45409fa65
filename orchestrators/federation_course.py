"""What all walks to a connection without a secret share: how they are agreed to, proven, undone, and how they end.

Until the new way in is proven a failure undoes what was changed, the old way in first. After that nothing is torn down
unless an operator wants it: who is concerned is told what failed, and it is tried again.
"""

from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.federation_steps import FederationSteps, Reverting
from orchestrators.federation_telling import FederationTeller
from rekey import names
from rekey.model import decode
from rekey.model.federation import (
    Federation,
    FederationQuestion,
    FederationReading,
    Mode,
    New,
    Proven,
    Trust,
    VendingQuestion,
)
from rekey.model.federation_news import FederationNews, Stage

APPROVED_WITHIN = timedelta(days=30)
"""How long it waits for an approval."""

PROVEN_WITHIN = timedelta(minutes=45)
"""How long a connection that nobody uses yet is tried: role assignments take up to half an hour to count."""


class FederationFailed(Exception):  # noqa: N818 - it says how the federation ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


def walks(
    ctx: OrchestrationContext, step: str, question: FederationQuestion | VendingQuestion, asked: FederationNews
) -> Steps[FederationReading]:
    """Return the walks that `step` makes of what is asked for, or why there is none; a failure is told, and ends it."""
    tell = FederationTeller(ctx)
    steps = FederationSteps(ctx, question.id, tell)
    try:
        reading = decode((yield from steps.once(step, question)), FederationReading)
    except StepFailed as failure:
        yield from tell.unread(question.id, asked, failure)
        steps.at(step, "failed")
        raise FederationFailed(str(failure)) from None
    if not reading.federations:
        steps.at(step, "nothing-to-do")
    return reading


class Course:
    """One walk, from before its record to its end; `way` is what the kinds of walks differ in."""

    def __init__(self, ctx: OrchestrationContext, walk: Federation) -> None:
        self.ctx = ctx
        self.walk = walk
        self.tell = FederationTeller(ctx)
        self.steps = FederationSteps(ctx, walk.id, self.tell)
        self.changed = False
        """Something is made or converted, or may be."""
        self.proof = ""
        """How it is known that the new way in works."""

    def way(self) -> Steps[None]:
        """Walk all the way."""
        raise NotImplementedError

    def run(self) -> Steps[dict[str, Any]]:
        """Walk as far as it goes: `done` or `reverted`; FederationFailed otherwise. However it ends, it is told."""
        try:
            yield from self.way()
        except Reverting as wanted:
            return (yield from self.revert(wanted.by))
        except StepFailed as failure:
            return (yield from self.fail(failure))
        yield from self.tell.told(self.walk, Stage.DONE, proof=self.proof)
        return (yield from self.close("done"))

    def open(self) -> Steps[None]:
        """Begin the evidence."""
        yield from self.steps.once(names.OPEN_FEDERATION, self.walk)
        self.tell.opened = True

    def agree(self, *remarks: str) -> Steps[None]:
        """Say what is going to happen; what grants roles waits until somebody else than who asked agrees."""
        approved_by = (yield from self.approval(remarks)) if self.walk.grants_roles else ""
        yield from self.tell.told(self.walk, Stage.STARTING, approved_by=approved_by)

    def approval(self, remarks: tuple[str, ...]) -> Steps[str]:
        """Return who approved it."""
        yield from self.tell.told(self.walk, Stage.APPROVE, also=remarks, revertible=True)
        ends = now(self.ctx) + APPROVED_WITHIN
        while now(self.ctx) < ends:
            found = yield from self.steps.pass_time(self.walk, names.APPROVAL, ends, "approval")
            if found.approved_by:
                return found.approved_by
        raise StepFailed(names.APPROVAL, "not-approved", "nobody approved it", "Ask for it again.")

    def trust(self) -> Steps[None]:
        """Let Entra trust what the connection presents, as it says itself."""
        trust = decode((yield from self.change(names.TRUST_CONNECTION)), Trust)
        self.walk = self.walk.but(trust=trust)

    def make(self, step: str) -> Steps[None]:
        """Convert the connection, or make another."""
        self.walk = self.walk.but(new=decode((yield from self.change(step)), New))

    def change(self, step: str) -> Steps[Any]:
        """Run a step that changes something."""
        self.changed = True
        return (yield from self.steps.once(step, self.walk))

    def prove(self) -> Steps[None]:
        """Let the connection sign in; from here on nothing is undone on a failure."""
        in_use = self.walk.mode in {Mode.IN_PLACE, Mode.REPAIR}
        patience = {} if in_use else {"patience": PROVEN_WITHIN}
        self.proof = decode((yield from self.steps.once(names.PROVE_CONNECTION, self.walk, **patience)), Proven).proof
        self.walk = self.walk.but(since=now(self.ctx))

    def revert(self, by: str) -> Steps[dict[str, Any]]:
        """Put everything back because somebody wants that."""
        try:
            undone = yield from self.undo()
        except StepFailed as failure:
            return (yield from self.give_up(failure))
        yield from self.tell.told(self.walk, Stage.REVERTED, reverted_by=by, changed=self.changed, undone=undone)
        return (yield from self.close("reverted"))

    def fail(self, failure: StepFailed) -> Steps[dict[str, Any]]:
        """Put everything back unless the new way in works, and say what failed."""
        if self.proof:
            return (yield from self.give_up(failure, proof=self.proof))
        undone, known = "", self.tell.remarks
        self.tell.remarks = [*known, f"It is being undone because of this: {failure}."]
        try:
            undone = yield from self.undo()
        except StepFailed as second:
            known = [*known, f"Undoing it failed as well: {second}."]
        self.tell.remarks = known
        return (yield from self.give_up(failure, undone=undone))

    def undo(self) -> Steps[str]:
        """Put back what was changed and say in words what is as before: the old way in before Entra's trust goes."""
        if not self.changed:
            return ""
        steps = [names.REVERT_CONNECTION, names.WITHDRAW_TRUST]
        said = []
        for step in steps[1:] if self.walk.mode is Mode.REPAIR else steps:
            found = yield from self.steps.insisted(step, self.walk, heeding=False)
            said.append(decode(found, Proven).proof)
        return "; ".join(filter(None, said))

    def give_up(self, failure: StepFailed, **news: Any) -> Steps[dict[str, Any]]:
        """Say that it failed, and end."""
        yield from self.tell.failed(self.walk, failure, changed=self.changed, **news)
        yield from self.close("failed")
        raise FederationFailed(str(failure))

    def close(self, result: str) -> Steps[dict[str, Any]]:
        """End the evidence, if there is any; what can't be closed stays open, which the nightly check tells."""
        ended = {"result": result, "federation_id": self.walk.id}
        if self.tell.opened:
            walk = self.walk.but(result=result)
            try:
                yield from self.steps.insisted(names.CLOSE_FEDERATION, walk, heeding=False)
            except StepFailed as failure:
                ended["record_left_open"] = failure.code
        self.steps.at(names.CLOSE_FEDERATION, result)
        return ended
