"""Step copy_access: the new connection gets the old one's checks and pipeline permissions."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Copied


@blueprint.activity_trigger(input_name="payload", activity=names.COPY_ACCESS)
async def copy_access_step(payload: dict) -> dict:
    """Do it, on the record."""
    return await run_federation(names.COPY_ACCESS, body, payload)


async def body(desk: Desk, federation: Federation) -> "Copied":
    """Return what came of it."""
    from rekey.federation.access import copy

    return await copy(desk.clients, federation)
