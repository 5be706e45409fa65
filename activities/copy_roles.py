"""Step copy_roles: the new connection's identity gets the roles of the old one's that settings allow."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Granted


@blueprint.activity_trigger(input_name="payload", activity=names.COPY_ROLES)
async def copy_roles_step(payload: dict) -> dict:
    """Assign them, or find them assigned."""
    return await run_federation(names.COPY_ROLES, copy, payload)


async def copy(desk: Desk, federation: Federation) -> "Granted":
    """Return what was assigned, and what wasn't."""
    from rekey.federation import roles
    from rekey.federation.resolving import require_approved

    await require_approved(desk.federations(), federation)
    return await roles.copy(desk.clients, federation)
