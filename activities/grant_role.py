"""Step grant_role: the identity of a vended connection gets the role that was asked for."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Granted


@blueprint.activity_trigger(input_name="payload", activity=names.GRANT_ROLE)
async def grant_role_step(payload: dict) -> dict:
    """Assign it, or find it assigned."""
    return await run_federation(names.GRANT_ROLE, grant, payload)


async def grant(desk: Desk, federation: Federation) -> "Granted":
    """Return what was assigned."""
    from rekey.federation import roles
    from rekey.federation.resolving import require_approved

    await require_approved(desk.federations(), federation)
    return await roles.grant(desk.clients, federation)
