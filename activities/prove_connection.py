"""Step prove_connection: Azure DevOps itself signs in through the connection."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Proven


@blueprint.activity_trigger(input_name="payload", activity=names.PROVE_CONNECTION)
async def prove_connection_step(payload: dict) -> dict:
    """Have it sign in once more."""
    return await run_federation(names.PROVE_CONNECTION, prove, payload)


async def prove(desk: Desk, federation: Federation) -> "Proven":
    """Return how it is known that it signs in."""
    from rekey.federation import proving

    return await proving.prove(desk.clients, federation)
