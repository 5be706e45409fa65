"""Step find_issued_leftovers: credentials that this deployment made and nothing references, at some of the issuers."""

from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.looking import ledger, night, witness
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.night import Looked, Part

if TYPE_CHECKING:
    from rekey.starting import DurableClient


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_ISSUED_LEFTOVERS)
@blueprint.durable_client_input(client_name="client")
async def find_issued_leftovers_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Look through one group of targets."""
    return await run_unrecorded(names.FIND_ISSUED_LEFTOVERS, Part, lambda desk, part: find(desk, client, part), payload)


async def find(desk: Desk, engine: "DurableClient", part: Part) -> Looked:
    """Remove what two nights saw that nothing references; report what can't be proved to be that."""
    from rekey.reconcile.issued import IssuedSearch
    from rekey.reconcile.targets import groups
    from rekey.registry import credential_kind

    before, book = await night(desk, part), ledger(desk, part, f"issued/{part.group}")
    search = IssuedSearch(
        lambda kind: credential_kind(kind)(desk.clients),
        desk.staging(),
        desk.settings.deployment,
        witness(desk, engine, before.references),
        book,
        before.references,
        everywhere=before.vaults.issuperset(desk.settings.vaults()),
    )
    found = groups(desk.settings)
    try:
        await search.run(found[part.group] if part.group < len(found) else ())
    finally:
        looked = await book.keep()
    return looked
