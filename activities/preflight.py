"""Step preflight: the whole chain is checked before anything changes."""

import asyncio

import azure.durable_functions as df
import msgspec

from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import ConsumerRef, ConsumerTarget, Facts, Walk
from rekey.policy import tags_for_new_version

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="payload", activity=names.PREFLIGHT)
async def preflight_step(payload: dict) -> dict:
    """Find out what would stop the rotation while stopping is still free."""
    return await run_step(names.PREFLIGHT, preflight, payload)


async def preflight(desk: Desk, walk: Walk) -> Facts:
    """Return what later steps need to know; PermanentError names what is missing and how to grant it."""
    rotation = walk.rotation
    vault = desk.vault(rotation.vault)
    current, value = await vault.current(rotation.secret)
    if current.id != rotation.old_version:
        raise PermanentError("superseded", "the secret has a newer version than the one that was judged")
    tags_for_new_version(current.tags, rotation.id, PROBE_KEY_ID)
    await vault.touch(rotation.secret, current)
    facts = await desk.credential_kind(walk).inspect(rotation, value)
    targets = await asyncio.gather(*(_target(desk, walk, ref) for ref in rotation.policy.consumers))
    return msgspec.structs.replace(facts, consumers=tuple(targets))


PROBE_KEY_ID = "00000000-0000-0000-0000-000000000000"
"""As long as a real one: whether the new version's tags fit is known before there is a new version."""


async def _target(desk: Desk, walk: Walk, ref: ConsumerRef) -> ConsumerTarget:
    found = await desk.consumer_kind(ref.kind).inspect(walk.rotation, ref.uri)
    return ConsumerTarget(ref.kind, ref.uri, found.object_id)
