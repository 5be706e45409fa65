"""Step read_decisions: what operators decided about this rotation, as its record has it."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Decided, DecisionKind, Walk


@blueprint.activity_trigger(input_name="payload", activity=names.READ_DECISIONS)
async def read_decisions_step(payload: dict) -> dict:
    """Read what a durable event only hints at."""
    return await run_unrecorded(names.READ_DECISIONS, Walk, decided, payload)


async def decided(desk: Desk, walk: Walk) -> Decided:
    """Return the decisions that were taken so far."""
    record = await desk.records().read(walk.rotation.id)
    decisions = record.decisions if record else ()
    return Decided(
        acknowledged={d.subject: d.by for d in decisions if d.kind == DecisionKind.ACKNOWLEDGE},
        refused=record.refusals if record else (),
    )
