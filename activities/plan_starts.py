"""Step plan_starts: what is started when, so that all of it together stays below the services' limits."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.sweep import Planned, Round

if TYPE_CHECKING:
    from rekey.pace import Cost
    from rekey.sweep import Due, Sweeps

A_FEW = 10
"""Up to so many rotations tell their owners in mails of their own, more are told in digests."""


@blueprint.activity_trigger(input_name="payload", activity=names.PLAN_STARTS)
async def plan_starts_step(payload: dict) -> dict:
    """Plan one round of a sweep."""
    return await run_unrecorded(names.PLAN_STARTS, Round, plan, payload)


async def plan(desk: Desk, wanted: Round) -> Planned:
    """Keep the plan, what expires first in front; a repeated step writes the same plan again."""
    from rekey import sweep
    from rekey.pace import SECOND, Pace

    sweeps = desk.sweeps(wanted.run_id)
    due = sorted(await _due(sweeps, wanted.round), key=lambda d: (d.expires, d.vault, d.secret))
    pace = Pace(desk.settings.nightly.limits)
    spread = pace.batches((one, cost(one, desk.settings.staging_vault)) for one in due)
    batches = [sweep.Planned(at=at / SECOND, starts=tuple(starts)) for at, starts in spread]
    return Planned(
        counts={"to start": len(due)},
        batches=await sweeps.keep_plan(wanted.round, batches, digest=len(due) > A_FEW),
        tolerance=pace.tick / SECOND,
    )


async def _due(sweeps: "Sweeps", number: int) -> Iterable["Due"]:
    if number:
        return [one for missed in await sweeps.not_started(number - 1) for one in missed.starts]
    return [one for found in await sweeps.found() for one in found.due]


def cost(due: "Due", staging: str) -> "Cost":
    """Return what one rotation uses of which limit: its new version, what is staged, and what its kind declares."""
    from rekey.nightly_settings import VAULT_CREATES
    from rekey.registry import credential_kind

    if not due.kind:  # it only tells what is wrong with its tags; counted all the same, so that many are spread out
        return {(VAULT_CREATES, due.vault): 1}
    kind = credential_kind(due.kind)
    staged = {(VAULT_CREATES, staging.lower()): 1} if kind.reveals_once else {}
    return {(VAULT_CREATES, due.vault): 1, **staged, **{(limit, ""): n for limit, n in kind.writes.items()}}
