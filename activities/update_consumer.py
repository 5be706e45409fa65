"""Step update_consumer: one consumer gets the new value, under the lease of its object."""

from activities.blueprint import blueprint
from activities.handover import OfWalk, target_of
from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import ConsumerResult, ConsumerTarget, Walk


@blueprint.activity_trigger(input_name="payload", activity=names.UPDATE_CONSUMER)
async def update_consumer_step(payload: dict) -> dict:
    """Read, merge, write the whole object back."""
    return await run_step(names.UPDATE_CONSUMER, update, payload)


async def update(desk: Desk, walk: Walk) -> str | ConsumerResult:
    """Write the published value to the consumer and return its URI, for the record; or that it needs none any more."""
    from rekey.leases import leased

    target = target_of(walk)
    async with leased(desk.clients.container(), target.object_id):
        keyless = await _update(desk, walk, target)
    return ConsumerResult(uri=target.uri, keyless=keyless) if keyless else target.uri


async def _update(desk: Desk, walk: Walk, target: ConsumerTarget) -> str | None:
    from rekey.federation.replaced import replaced

    try:
        return await desk.consumer_kind(target.kind).update(walk.rotation, target, OfWalk(desk, walk))
    except PermanentError as error:
        gone = await replaced(desk.clients, target.uri) if error.code == "no-connection" else None
        if gone is None:
            raise
        return gone.keyless
