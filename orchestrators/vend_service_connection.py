"""The runbook: a service connection that never has a secret, with a managed identity of its own and one role.

With a twin it is two walks, one after the other: the second may only read, and is approved together with the first.
"""

from collections.abc import Sequence
from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.federation_course import Course, FederationFailed, walks
from orchestrators.forwarding import vending_forwarded
from rekey import names
from rekey.model import decode
from rekey.model.federation import (
    Federation,
    Granted,
    Identity,
    Mode,
    VendingQuestion,
    VendingRequest,
)
from rekey.model.federation_news import FederationNews, Stage

blueprint = df.Blueprint()


@blueprint.orchestration_trigger(context_name="context", orchestration=names.VEND_SERVICE_CONNECTION)
def vend_service_connection(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Make one connection, or two: `done`, `reverted`, `nothing-to-do` or `forwarded`; FederationFailed."""
    request = _parsed(payload)
    forwarded = yield from vending_forwarded(context, request)
    if forwarded:
        return forwarded
    return (yield from _check_and_walk(context, request, context.new_uuid(), context.new_uuid()))


def _parsed(payload: Any) -> VendingRequest:
    try:
        return VendingRequest.parse(payload)
    except ValueError as error:
        raise FederationFailed(str(error)) from None


def _check_and_walk(ctx: OrchestrationContext, request: VendingRequest, id_: str, twin_id: str) -> Steps[Any]:
    question = VendingQuestion(request=request, id=id_, twin_id=twin_id, instance=ctx.instance_id, started=now(ctx))
    reading = yield from walks(ctx, names.CHECK_VENDING, question, _asked(request))
    if not reading.federations:
        return {"result": "nothing-to-do", "reason": reading.nothing_to_do}
    first, *twins = reading.federations
    ended = yield from Vend(ctx, first, twins).run()
    for twin in twins if ended["result"] == "done" else ():
        yield from Vend(ctx, twin.but(approved_with=first.id)).run()
    return ended


def _asked(request: VendingRequest) -> FederationNews:
    return FederationNews(
        stage=Stage.FAILED,
        mode=Mode.VEND,
        organization=request.organization,
        project=request.project,
        new_connection=request.name,
        role=request.role,
        scope=request.scope,
        requested_by=request.requested_by,
    )


class Vend(Course):
    """One connection that is made; `twins` are those that are approved with it."""

    def __init__(self, ctx: OrchestrationContext, walk: Federation, twins: Sequence[Federation] = ()) -> None:
        super().__init__(ctx, walk)
        self.twins = twins

    def way(self) -> Steps[None]:
        """Agree, make identity and connection, let Entra trust it, grant the role, prove it."""
        yield from self.open()
        if self.walk.approved_with:
            yield from self.require_approval()
        else:
            yield from self.agree(*(_with_it(twin) for twin in self.twins))
        identity = decode((yield from self.change(names.CREATE_IDENTITY)), Identity)
        self.walk = self.walk.but(signs_in_as=identity)
        yield from self.make(names.CREATE_CONNECTION)
        yield from self.trust()
        granted = decode((yield from self.change(names.GRANT_ROLE)), Granted)
        self.walk = self.walk.but(granted=granted)
        self.tell.remarks += granted.remarks
        yield from self.prove()

    def require_approval(self) -> Steps[None]:
        """Go on only with the approval of the walk that this one belongs to."""
        found = yield from self.steps.once(names.READ_FEDERATION_DECISIONS, self.walk)
        if not self.steps.resolved(found).approved_by:
            raise StepFailed(names.APPROVAL, "not-approved", "nobody approved it", "Ask for it again.")


def _with_it(twin: Federation) -> str:
    return f"With it comes {twin.new_name}, which gets the role {twin.role} at the same scope."
