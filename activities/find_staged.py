"""Step find_staged_leftovers: values in the staging vault that nobody reads any more."""

from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.looking import ledger, witness
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.night import Looked, Part

if TYPE_CHECKING:
    from rekey.starting import DurableClient


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_STAGED_LEFTOVERS)
@blueprint.durable_client_input(client_name="client")
async def find_staged_leftovers_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Look through the staging vault."""
    return await run_unrecorded(names.FIND_STAGED_LEFTOVERS, Part, lambda desk, part: find(desk, client, part), payload)


async def find(desk: Desk, engine: "DurableClient", part: Part) -> Looked:
    """Remove what two nights saw that nobody reads; report what can't be proved to be that."""
    from rekey.reconcile.staged import StagedSearch

    book = ledger(desk, part, "staged")
    asked = witness(desk, engine, ())
    await StagedSearch(desk.staging(), desk.settings.deployment, asked, book).run()
    return await book.keep()
