"""Step close_record: the evidence ends with the result."""

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.model import Walk


@blueprint.activity_trigger(input_name="payload", activity=names.CLOSE_RECORD)
async def close_record_step(payload: dict) -> dict:
    """Close the rotation's record."""
    return await run_step(names.CLOSE_RECORD, close, payload)


async def close(desk: Desk, walk: Walk) -> None:
    """Write how the rotation ended."""
    await desk.records().close(walk.rotation.id, walk.result)
