"""Step retire_secrets: the managed passwords that a connection needed stop working, once nothing else needs them."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import SecretsRetired


@blueprint.activity_trigger(input_name="payload", activity=names.RETIRE_SECRETS)
async def retire_secrets_step(payload: dict) -> dict:
    """Remove them at their application, by key id."""
    return await run_federation(names.RETIRE_SECRETS, retire, payload)


async def retire(desk: Desk, federation: Federation) -> "SecretsRetired":
    """Return what was removed, and what was left alone and why."""
    from rekey.federation import retiring_secrets

    return await retiring_secrets.retire(desk.clients, federation)
