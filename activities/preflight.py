"""Step preflight: the whole chain is checked before anything changes."""

import asyncio
import functools

import azure.durable_functions as df
import msgspec

from activities.step import Desk, run_step
from rekey import names
from rekey.model import ConsumerTarget, Facts, Walk

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="payload", activity=names.PREFLIGHT)
async def preflight_step(payload: dict) -> dict:
    """Find out what would stop the rotation while stopping is still free."""
    return await run_step(names.PREFLIGHT, preflight, payload)


async def preflight(desk: Desk, walk: Walk) -> Facts:
    """Return what later steps need to know; PermanentError names what is missing and how to grant it."""
    rotation = walk.rotation
    vault = desk.vault(rotation.vault)
    await vault.touch(rotation.secret, rotation.old_version)
    old_value = functools.partial(vault.value, rotation.secret, rotation.old_version)
    facts = await desk.credential_kind(walk).inspect(rotation, old_value)
    refs = rotation.policy.consumers
    found = await asyncio.gather(*(desk.consumer_kind(r.kind).inspect(rotation, r.uri) for r in refs))
    return msgspec.structs.replace(
        facts,
        consumers=tuple(ConsumerTarget(r.kind, r.uri, f.object_id) for r, f in zip(refs, found, strict=True)),
        remarks=facts.remarks + tuple(remark for f in found for remark in f.remarks),
    )
