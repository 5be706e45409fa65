"""Step open_record: the evidence begins before the first side effect."""

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.model import Walk


@blueprint.activity_trigger(input_name="payload", activity=names.OPEN_RECORD)
async def open_record_step(payload: dict) -> dict:
    """Write the rotation's record, once."""
    return await run_step(names.OPEN_RECORD, open_record, payload)


async def open_record(desk: Desk, walk: Walk) -> None:
    """Create the record; a repeated step finds it."""
    from rekey.policy import policy_digest
    from rekey.records import Record

    rotation = walk.rotation
    await desk.records().open(
        Record(
            rotation_id=rotation.id,
            instance_id=names.instance_id(rotation.vault, rotation.secret),
            deployment=desk.settings.deployment,
            vault=rotation.vault,
            secret=rotation.secret,
            reason=rotation.reason,
            requested_by=rotation.requested_by,
            opened=rotation.started,
            policy_digest=policy_digest(rotation.policy),
            old_version=rotation.old_version,
        )
    )
