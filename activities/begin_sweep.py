"""Step begin_sweep: which vaults there are to look at, and nothing is left of earlier sweeps."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.sweep import Begun, OfSweep


@blueprint.activity_trigger(input_name="payload", activity=names.BEGIN_SWEEP)
async def begin_sweep_step(payload: dict) -> dict:
    """Begin a sweep."""
    return await run_unrecorded(names.BEGIN_SWEEP, OfSweep, begin, payload)


async def begin(desk: Desk, sweep: OfSweep) -> Begun:
    """Return the vaults that settings allow; what earlier sweeps kept is removed."""
    await desk.sweeps(sweep.run_id).forget_others()
    return Begun(vaults=desk.settings.vaults())
