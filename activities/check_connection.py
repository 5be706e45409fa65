"""Step check_connection: rights, rotations, pipelines: what there is around the connection before anything changes."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Checked


@blueprint.activity_trigger(input_name="payload", activity=names.CHECK_CONNECTION)
async def check_connection_step(payload: dict) -> dict:
    """Do it, on the record."""
    return await run_federation(names.CHECK_CONNECTION, body, payload)


async def body(desk: Desk, federation: Federation) -> "Checked":
    """Return what came of it."""
    from rekey.federation.checking import check

    return await check(desk.clients, federation)
