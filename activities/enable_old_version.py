"""Step enable_old_version: readers that were refused the old version in its grace can read it again."""

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import Walk


@blueprint.activity_trigger(input_name="payload", activity=names.ENABLE_OLD_VERSION)
async def enable_old_version_step(payload: dict) -> dict:
    """Enable the version that this rotation disabled."""
    return await run_step(names.ENABLE_OLD_VERSION, enable, payload)


async def enable(desk: Desk, walk: Walk) -> None:
    """Enable exactly the version that the rotation replaced, and only if its record names somebody who was refused."""
    record = await desk.records().read(walk.rotation.id)
    if record is None or not record.refusals or not record.may_enable():
        raise PermanentError("not-asked-for", "nobody is on the record as refused the old version in its grace")
    await desk.vault(walk.rotation.vault).enable(walk.rotation.secret, walk.rotation.old_version)
