"""Step create_identity: a vended connection gets a managed identity of its own."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Identity


@blueprint.activity_trigger(input_name="payload", activity=names.CREATE_IDENTITY)
async def create_identity_step(payload: dict) -> dict:
    """Make it, or find it made."""
    return await run_federation(names.CREATE_IDENTITY, create, payload)


async def create(desk: Desk, federation: Federation) -> "Identity":
    """Return the identity."""
    from rekey.federation import identities

    return await identities.create(desk.clients, federation)
