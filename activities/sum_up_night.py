"""Step sum_up_night: the night in one notice, each finding with the day since when it has been there."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.night import Summed, Summing


@blueprint.activity_trigger(input_name="payload", activity=names.SUM_UP_NIGHT)
async def sum_up_night_step(payload: dict) -> dict:
    """Put together what the parts found."""
    return await run_unrecorded(names.SUM_UP_NIGHT, Summing, sum_up, payload)


async def sum_up(desk: Desk, night: Summing) -> Summed:
    """Return the notice, or none if all is well and settings want silence then; a repeated step finds the same."""
    from rekey.reconcile import digest
    from rekey.reconcile.memory import Memory

    memory = Memory(desk.clients.container())
    found = [finding for result in (await memory.kept(night.run_id)).values() for finding in result.findings]
    findings = digest.ordered([*night.failed, *found])
    since = digest.since(findings, await memory.since(), night.started)
    await memory.keep_since(since)
    if not findings and desk.settings.nightly.silent_when_well:
        return Summed(findings=0)
    return Summed(findings=len(findings), notice=digest.notice(night, digest.dated(findings, since, night.started)))
