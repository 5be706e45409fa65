"""Step check_vending: what was asked for becomes the walk of a connection that never has a secret, and its twin's."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.federation import FederationReading, VendingQuestion


@blueprint.activity_trigger(input_name="payload", activity=names.CHECK_VENDING)
async def check_vending_step(payload: dict) -> dict:
    """Check a request before there is a record."""
    return await run_unrecorded(names.CHECK_VENDING, VendingQuestion, check, payload)


async def check(desk: Desk, question: VendingQuestion) -> FederationReading:
    """Return the walks."""
    from msgspec.structs import replace

    from rekey.federation import asked_here, vending_check

    request = await asked_here.believed(desk.clients.container(), question.request)
    return await vending_check.check(desk.clients, replace(question, request=request))
