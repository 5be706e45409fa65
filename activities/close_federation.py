"""Step close_federation: the evidence of a federation ends with the result."""

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation


@blueprint.activity_trigger(input_name="payload", activity=names.CLOSE_FEDERATION)
async def close_federation_step(payload: dict) -> dict:
    """Close the federation's record."""
    return await run_federation(names.CLOSE_FEDERATION, close, payload)


async def close(desk: Desk, federation: Federation) -> None:
    """Write how the federation ended."""
    await desk.federations().close(federation.id, federation.result)
