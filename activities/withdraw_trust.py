"""Step withdraw_trust: what this walk made in Entra and Azure goes again, after the old way works."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Proven


@blueprint.activity_trigger(input_name="payload", activity=names.WITHDRAW_TRUST)
async def withdraw_trust_step(payload: dict) -> dict:
    """Remove what is still there."""
    return await run_federation(names.WITHDRAW_TRUST, withdraw, payload)


async def withdraw(desk: Desk, federation: Federation) -> "Proven":
    """Return what was removed."""
    from rekey.federation import withdrawing

    return await withdrawing.withdraw(desk.clients, federation)
