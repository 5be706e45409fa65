"""Step retire_connection: the connection with the secret is deleted, once nothing goes through it any more."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Proven


@blueprint.activity_trigger(input_name="payload", activity=names.RETIRE_CONNECTION)
async def retire_connection_step(payload: dict) -> dict:
    """Do it, on the record."""
    return await run_federation(names.RETIRE_CONNECTION, body, payload)


async def body(desk: Desk, federation: Federation) -> "Proven":
    """Return what came of it."""
    from rekey.federation.retiring import retire

    return await retire(desk.clients, federation)
