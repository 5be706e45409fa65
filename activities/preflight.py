"""Step preflight: the whole chain is checked before anything changes."""

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.model import Facts, Walk


@blueprint.activity_trigger(input_name="payload", activity=names.PREFLIGHT)
async def preflight_step(payload: dict) -> dict:
    """Find out what would stop the rotation while stopping is still free."""
    return await run_step(names.PREFLIGHT, preflight, payload)


async def preflight(desk: Desk, walk: Walk) -> Facts:
    """Return what later steps need to know; PermanentError names what is missing and how to grant it."""
    from rekey import inspection

    rotation = walk.rotation
    await desk.vault(rotation.vault).touch(rotation.secret, rotation.old_version)
    return await inspection.whole(desk.clients, rotation)
