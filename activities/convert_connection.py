"""Step convert_connection: Azure DevOps converts the connection in place, if it does."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import New


@blueprint.activity_trigger(input_name="payload", activity=names.CONVERT_CONNECTION)
async def convert_connection_step(payload: dict) -> dict:
    """Do it, on the record."""
    return await run_federation(names.CONVERT_CONNECTION, body, payload)


async def body(desk: Desk, federation: Federation) -> "New":
    """Return what came of it."""
    from rekey.federation.converting import convert

    return await convert(desk.clients, federation)
