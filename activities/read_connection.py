"""Step read_connection: finds the connection that was asked for, and says what can be done with it."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.federation import FederationQuestion

if TYPE_CHECKING:
    from rekey.model.federation import FederationReading


@blueprint.activity_trigger(input_name="payload", activity=names.READ_CONNECTION)
async def read_connection_step(payload: dict) -> dict:
    """Find it."""
    return await run_unrecorded(names.READ_CONNECTION, FederationQuestion, body, payload)


async def body(desk: Desk, question: FederationQuestion) -> "FederationReading":
    """Return the walk, or why there is nothing to do."""
    from msgspec.structs import replace

    from rekey.federation import asked_here
    from rekey.federation.reading import read

    request = await asked_here.believed(desk.clients.container(), question.request)
    return await read(desk.clients, replace(question, request=request))
