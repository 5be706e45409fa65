"""The runbook: one service connection comes to need no secret, from the first question to the last notice.

In place, Azure DevOps converts it; side by side, another one takes its place; a federated one whose trust in Entra
drifted is repaired.
"""

from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.federation_course import Course, FederationFailed, walks
from orchestrators.federation_steps import GIVES_UP, LOOKS_AGAIN
from orchestrators.forwarding import federation_forwarded
from rekey import names
from rekey.model import decode
from rekey.model.federation import (
    STILL_USED,
    Checked,
    Copied,
    FederationQuestion,
    FederationRequest,
    Granted,
    Identity,
    Mode,
    Runs,
    SecretsRetired,
)
from rekey.model.federation_news import FederationNews, Stage

blueprint = df.Blueprint()

CONVERTS_AGAIN = timedelta(minutes=1)
MOST_CONVERSIONS = 10
"""How often Azure DevOps is asked again to convert what it did not convert before Entra trusted it."""

TRUST_SPREADS = timedelta(minutes=10)
"""How long a new federated credential may take to count: "minutes", says Microsoft. Nobody but the service can try it.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
"""

LONGEST_SOAK = 4
"""Times the soak that was asked for: how long the old connection stays for those who still use it, untold."""

MOST_LOOKS = 3
"""How often it is looked anew because something ran just before the old connection was to go."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.FEDERATE_SERVICE_CONNECTION)
def federate_service_connection(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Leave one connection without a secret: `done`, `reverted`, `nothing-to-do` or `forwarded`; FederationFailed."""
    request = _parsed(payload)
    forwarded = yield from federation_forwarded(context, request)
    if forwarded:
        return forwarded
    return (yield from _read_and_walk(context, request, context.new_uuid()))


def _parsed(payload: Any) -> FederationRequest:
    try:
        return FederationRequest.parse(payload)
    except ValueError as error:
        raise FederationFailed(str(error)) from None


def _read_and_walk(ctx: OrchestrationContext, request: FederationRequest, id_: str) -> Steps[Any]:
    question = FederationQuestion(request=request, id=id_, instance=ctx.instance_id, started=now(ctx))
    reading = yield from walks(ctx, names.READ_CONNECTION, question, _asked(request))
    if not reading.federations:
        return {"result": "nothing-to-do", "reason": reading.nothing_to_do}
    return (yield from Federate(ctx, reading.federations[0]).run())


def _asked(request: FederationRequest) -> FederationNews:
    return FederationNews(
        stage=Stage.FAILED,
        mode=request.mode,
        organization=request.organization,
        project=request.project,
        connection=request.connection,
        requested_by=request.requested_by,
    )


class Federate(Course):
    """One connection on its way to need no secret."""

    def way(self) -> Steps[None]:
        """Check, agree, change, prove; then leave time to go back before the old way in is taken away."""
        yield from self.open()
        yield from self.check()
        yield from self.agree()
        if self.walk.grants_roles:
            yield from self.check()  # an approval may come weeks later
        if self.walk.mode is Mode.IN_PLACE:
            yield from self.convert()
        elif self.walk.mode is Mode.SIDE_BY_SIDE:
            yield from self.create()
        else:
            yield from self.trust()
        yield from self.prove()
        if self.walk.mode is not Mode.REPAIR:
            yield from self.settle()

    def check(self) -> Steps[None]:
        """Look at everything before anything is changed."""
        identity = decode((yield from self.steps.once(names.FIND_IDENTITY, self.walk)), Identity)
        self.walk = self.walk.but(signs_in_as=identity)
        checked = decode((yield from self.steps.once(names.CHECK_CONNECTION, self.walk)), Checked)
        self.walk = self.walk.but(checked=checked)
        self.tell.remarks = list(checked.remarks)

    def convert(self) -> Steps[None]:
        """Have Azure DevOps convert it; Entra trusts it before, where it can be known what it is going to present."""
        if self.walk.old and self.walk.old.issuer:
            yield from self.trust()
            yield from self.let_trust_spread()
        yield from self.make(names.CONVERT_CONNECTION)
        yield from self.trust()
        for _ in range(MOST_CONVERSIONS):
            if self.walk.new and self.walk.new.federated:
                return
            yield self.ctx.create_timer(now(self.ctx) + CONVERTS_AGAIN)
            yield from self.make(names.CONVERT_CONNECTION)
        if not (self.walk.new and self.walk.new.federated):
            raise StepFailed(
                names.CONVERT_CONNECTION,
                "not-converted",
                f"Azure DevOps did not convert it, although it was asked {MOST_CONVERSIONS + 1} times",
                "Use mode side-by-side.",
            )

    def let_trust_spread(self) -> Steps[None]:
        """Wait until a credential that was just made counts everywhere in Entra: until then nothing needs it."""
        until = now(self.ctx) + TRUST_SPREADS
        while self.walk.trust and self.walk.trust.made and now(self.ctx) < until:
            yield from self.steps.pass_time(self.walk, names.TRUST_CONNECTION, until, "Entra to know the credential")

    def create(self) -> Steps[None]:
        """Make the connection that takes its place, and give who it signs in as what the old one's has."""
        yield from self.make(names.CREATE_CONNECTION)
        yield from self.trust()
        if self.walk.grants_roles:
            granted = decode((yield from self.change(names.COPY_ROLES)), Granted)
            self.walk = self.walk.but(granted=granted)
            self.tell.remarks += granted.remarks

    def settle(self) -> Steps[None]:
        """Leave the way back open for a while, then take the old way in away."""
        side_by_side = self.walk.mode is Mode.SIDE_BY_SIDE
        if side_by_side:
            copied = decode((yield from self.insisted(names.COPY_ACCESS)), Copied)
            self.tell.remarks += copied.remarks
        until = self.soak_until()
        yield from self.tell.told(self.walk, Stage.CONVERTED, soak_until=until, revertible=True, **self.known())
        while now(self.ctx) < until:
            yield from self.steps.pass_time(self.walk, names.SOAK, until, "the end of the soak")
        if side_by_side:
            yield from self.retire_old()
        else:
            yield from self.insisted(names.PROVE_CONNECTION)
            yield from self.last_word()
        yield from self.retire_secrets()

    def soak_until(self) -> datetime:
        """Return how long the way back stays open."""
        return self.walk.soak_ends(now(self.ctx), self.walk.new.revert_until if self.walk.new else None)

    def retire_old(self) -> Steps[None]:
        """Delete the old connection once nothing has run through it for as long as the soak."""
        for _ in range(MOST_LOOKS):
            since = yield from self.unused()
            yield from self.last_word()
            try:
                yield from self.steps.once(names.RETIRE_CONNECTION, self.walk.but(since=since))
            except StepFailed as failure:
                if failure.code == STILL_USED:  # something ran since it was looked at
                    continue
                break
            return
        yield from self.insisted(names.RETIRE_CONNECTION, since=since, final=True)

    def unused(self) -> Steps[datetime]:
        """Wait until nothing has run through the old connection for as long as the soak; return since when."""
        proven = self.walk.since or now(self.ctx)
        length = self.walk.soak.after(proven) - proven
        latest = now(self.ctx) + (LONGEST_SOAK - 1) * length
        told = None
        while True:
            since = max(proven, now(self.ctx) - length)
            found = yield from self.insisted(names.LOOK_AT_RUNS, since=since)
            runs = decode(found, Runs)
            if not (runs.finished or runs.running):
                return since
            again = now(self.ctx) + min(LOOKS_AGAIN, max(length, timedelta(seconds=1)))
            if told is None:
                yield from self.tell.still_used(self.walk, runs, again)
                told = Stage.STILL_USED
            elif told is Stage.STILL_USED and now(self.ctx) >= latest:
                yield from self.tell.needs_you(self.walk, _still_used(runs), revertible=True, **self.known())
                told = Stage.NEEDS_YOU
            elif now(self.ctx) >= latest + GIVES_UP:
                raise _still_used(runs)
            yield from self.steps.pass_time(self.walk, names.SOAK, again, "pipelines to leave the old connection")

    def last_word(self) -> Steps[None]:
        """Read the record once more before there is no way back: whoever wants to go back may not have been heard."""
        self.steps.resolved((yield from self.insisted(names.READ_FEDERATION_DECISIONS, final=True)))

    def retire_secrets(self) -> Steps[None]:
        """Remove the passwords that the connection signed in with, those that Rekey knows to be its own."""
        found = yield from self.insisted(names.RETIRE_SECRETS, final=True)
        retired = decode(found, SecretsRetired)
        if retired.removed:
            self.tell.remarks.append(f"Passwords that were removed, by key id: {', '.join(retired.removed)}.")
        self.tell.remarks += retired.remarks

    def insisted(self, step: str, *, since: datetime | None = None, final: bool = False) -> Steps[Any]:
        """Run a step after the new way in is proven; `final`: there is no way back from it."""
        walk = self.walk.but(since=since) if since else self.walk
        return (yield from self.steps.insisted(step, walk, heeding=not final, **self.known()))

    def known(self) -> dict[str, Any]:
        """Return what every notice says from the proof on."""
        return {"changed": True, "proof": self.proof}


def _still_used(runs: Runs) -> StepFailed:
    who = "; ".join(runs.by) or "a pipeline whose name isn't known"
    return StepFailed(
        names.LOOK_AT_RUNS,
        STILL_USED,
        f"pipelines still run through the old connection: {who}",
        "Let them use the new connection, or revert the federation.",
    )
