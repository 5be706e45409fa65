"""Step preflight: the whole chain is checked before anything changes."""

import asyncio

import azure.durable_functions as df
import msgspec

from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import ConsumerRef, ConsumerTarget, Facts, Walk
from rekey.secret_value import SecretValue

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

    async def old_value() -> SecretValue:
        found = await vault.read(rotation.secret, rotation.old_version)
        if found is None:
            raise PermanentError("version-gone", f"version {rotation.old_version} is gone from the vault")
        return found[1]

    facts = await desk.credential_kind(walk).inspect(rotation, old_value)
    targets = await asyncio.gather(*(_target(desk, walk, ref) for ref in rotation.policy.consumers))
    return msgspec.structs.replace(facts, consumers=tuple(targets))


async def _target(desk: Desk, walk: Walk, ref: ConsumerRef) -> ConsumerTarget:
    found = await desk.consumer_kind(ref.kind).inspect(walk.rotation, ref.uri)
    return ConsumerTarget(ref.kind, ref.uri, found.object_id)
