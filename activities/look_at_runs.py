"""Step look_at_runs: what has run through the connection since the new way in was proven."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.model.federation import Federation

if TYPE_CHECKING:
    from rekey.model.federation import Runs


@blueprint.activity_trigger(input_name="payload", activity=names.LOOK_AT_RUNS)
async def look_at_runs_step(payload: dict) -> dict:
    """Do it, on the record."""
    return await run_federation(names.LOOK_AT_RUNS, body, payload)


async def body(desk: Desk, federation: Federation) -> "Runs":
    """Return what came of it."""
    from rekey.federation.runs import look

    return await look(desk.clients, federation)
