"""Step update_consumer: one consumer gets the new value, under the lease of its object."""

import azure.durable_functions as df

from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import ConsumerTarget, Walk
from rekey.secret_value import SecretValue

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="payload", activity=names.UPDATE_CONSUMER)
async def update_consumer_step(payload: dict) -> dict:
    """Read, merge, write the whole object back."""
    return await run_step(names.UPDATE_CONSUMER, update, payload)


async def update(desk: Desk, walk: Walk) -> str:
    """Write the published value to the consumer and return its URI, for the record."""
    from rekey.leases import leased

    target = target_of(walk)
    value = await _published_value(desk, walk)
    async with leased(desk.clients.container(), target.object_id):
        await desk.consumer_kind(target.kind).update(walk.rotation, target, value)
    return target.uri


def target_of(walk: Walk) -> ConsumerTarget:
    """Return the consumer this step is about; a walk without it is a defect of the orchestrator."""
    if walk.target is None:
        raise PermanentError("no-consumer", "the step was given no consumer")
    return walk.target


async def _published_value(desk: Desk, walk: Walk) -> SecretValue:
    if walk.published is None:
        raise PermanentError("not-published", "the step came before set_secret_version")
    return await desk.vault(walk.rotation.vault).value(walk.rotation.secret, walk.published.version)
