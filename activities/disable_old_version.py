"""Step disable_old_version: the version that was current can't be read any more; its credential still works."""

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import Walk


@blueprint.activity_trigger(input_name="payload", activity=names.DISABLE_OLD_VERSION)
async def disable_old_version_step(payload: dict) -> dict:
    """Disable the old version, never the newest."""
    return await run_step(names.DISABLE_OLD_VERSION, disable, payload)


async def disable(desk: Desk, walk: Walk) -> None:
    """Disable exactly the version that the rotation replaced."""
    old = walk.rotation.old_version
    if walk.published is None or walk.published.version == old:
        raise PermanentError("newest-version", "the newest version is never disabled: readers would fail at once")
    await desk.vault(walk.rotation.vault).disable(walk.rotation.secret, old)
