"""Step trust_connection: whom a connection signs in as gets the federated credential that the connection needs."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Trust


@blueprint.activity_trigger(input_name="payload", activity=names.TRUST_CONNECTION)
async def trust_connection_step(payload: dict) -> dict:
    """Make it, or find it made."""
    return await run_federation(names.TRUST_CONNECTION, trust, payload)


async def trust(desk: Desk, federation: Federation) -> "Trust":
    """Return the federated credential."""
    from rekey.federation import trusting

    return await trusting.trust(desk.clients, federation)
