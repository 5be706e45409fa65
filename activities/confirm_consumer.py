"""Step confirm_consumer: a consumer isn't done until it is confirmed, as strongly as its service allows."""

from activities.blueprint import blueprint
from activities.handover import OfWalk, target_of
from activities.step import Desk, run_step
from rekey import names
from rekey.model import ConsumerResult, Walk


@blueprint.activity_trigger(input_name="payload", activity=names.CONFIRM_CONSUMER)
async def confirm_consumer_step(payload: dict) -> dict:
    """Make the consumer itself use the new value where that can be had."""
    return await run_step(names.CONFIRM_CONSUMER, confirm, payload)


async def confirm(desk: Desk, walk: Walk) -> ConsumerResult:
    """Return how it was confirmed."""
    target = target_of(walk)
    how = await desk.consumer_kind(target.kind).confirm(walk.rotation, target, OfWalk(desk, walk))
    return ConsumerResult(uri=target.uri, confirmed_by=how)
