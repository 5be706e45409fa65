"""Step end_sweep: what people are told of a sweep; its plans are removed, so that nothing more is started from them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Finding
from rekey.model.notice import cut
from rekey.model.sweep import Ended, Ending

if TYPE_CHECKING:
    from rekey.sweep import Due, NotStarted


ELSEWHERE = "`python -m rekey report` shows every secret."


@blueprint.activity_trigger(input_name="payload", activity=names.END_SWEEP)
async def end_sweep_step(payload: dict) -> dict:
    """End a sweep."""
    return await run_unrecorded(names.END_SWEEP, Ending, end, payload)


async def end(desk: Desk, ending: Ending) -> Ended:
    """Return all findings of the sweep, what stops rotations first; a repeated step finds the same."""
    sweeps = desk.sweeps(ending.run_id)
    missed = await sweeps.not_started(ending.last_round)
    bad = [finding for found in await sweeps.found() for finding in found.findings]
    findings = [*ending.findings, *_not_started(missed), *bad]
    await sweeps.forget_plans()
    not_started = sum(len(m.starts) for m in missed)
    return Ended(counts={"not started": not_started}, findings=cut(findings, ELSEWHERE))


def _not_started(missed: Iterable["NotStarted"]) -> list[Finding]:
    return [_finding(due) for batch in missed for due in batch.starts]


def _finding(due: "Due") -> Finding:
    return Finding(
        code="not-started",
        vault=due.vault,
        secret=due.secret,
        message=f"it expires {due.expires:%Y-%m-%d %H:%M} UTC, and its rotation could not be started",
        what_to_do="The next nightly sweep tries again. If this goes on, look at the app's log for why.",
    )
