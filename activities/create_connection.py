"""Step create_connection: a connection without a secret is made, in place of one that has one or of none."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import New


@blueprint.activity_trigger(input_name="payload", activity=names.CREATE_CONNECTION)
async def create_connection_step(payload: dict) -> dict:
    """Do it, on the record."""
    return await run_federation(names.CREATE_CONNECTION, body, payload)


async def body(desk: Desk, federation: Federation) -> "New":
    """Return what came of it."""
    from rekey.federation.creating import create

    return await create(desk.clients, federation)
