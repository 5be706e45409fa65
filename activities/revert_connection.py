"""Step revert_connection: the connection is as it was before the walk began."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Proven


@blueprint.activity_trigger(input_name="payload", activity=names.REVERT_CONNECTION)
async def revert_connection_step(payload: dict) -> dict:
    """Do it, on the record."""
    return await run_federation(names.REVERT_CONNECTION, body, payload)


async def body(desk: Desk, federation: Federation) -> "Proven":
    """Return what came of it."""
    from rekey.federation.reverting import revert

    return await revert(desk.clients, federation)
