"""Step find_identity: whom a connection signs in as, and whether that can be said whom to trust."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Identity


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_IDENTITY)
async def find_identity_step(payload: dict) -> dict:
    """Look at the application or the managed identity."""
    return await run_federation(names.FIND_IDENTITY, find, payload)


async def find(desk: Desk, federation: Federation) -> "Identity":
    """Return whom the connection signs in as."""
    from rekey.federation.identifying import identify

    return await identify(desk.clients, federation)
