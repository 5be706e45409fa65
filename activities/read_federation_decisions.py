"""Step read_federation_decisions: what operators decided about this federation, as its record has it."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.federation import Federation, Resolved


@blueprint.activity_trigger(input_name="payload", activity=names.READ_FEDERATION_DECISIONS)
async def read_federation_decisions_step(payload: dict) -> dict:
    """Read what a durable event only hints at."""
    return await run_unrecorded(names.READ_FEDERATION_DECISIONS, Federation, read, payload)


async def read(desk: Desk, federation: Federation) -> Resolved:
    """Return who approved and who wants it reverted, as far as that counts."""
    from rekey.federation.resolving import resolved

    return await resolved(desk.federations(), federation)
