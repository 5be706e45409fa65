"""Step find_stuck_rotations: open records that nobody walks, federations' too, and instances that go nowhere."""

from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.looking import ledger, night
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.night import Looked, Part

if TYPE_CHECKING:
    from rekey.operator_view import Instance


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_STUCK_ROTATIONS)
@blueprint.durable_client_input(client_name="client")
async def find_stuck_rotations_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Look through the records and the engine's instances."""
    return await run_unrecorded(names.FIND_STUCK_ROTATIONS, Part, lambda desk, part: find(desk, client, part), payload)


async def find(desk: Desk, engine: df.DurableFunctionsClient, part: Part) -> Looked:
    """Report what doesn't go on by itself; close the records of which two nights saw that nothing is left."""
    from functools import partial

    from rekey.reconcile import stuck_federations
    from rekey.reconcile.stuck import StuckSearch
    from rekey.reconcile.witness import instance_of

    before, book, instance = await night(desk, part), ledger(desk, part, "stuck"), partial(instance_of, engine)
    federations = await stuck_federations.search(desk.federations(), instance, book)
    stopped = [one for one in await _stopped(engine) if one.rotation_id not in federations]
    search = StuckSearch(desk.records(), instance, desk.vault, book, before.references, before.vaults)
    await search.run(before.left if part.all_seen else None, before.due, stopped)
    return await book.keep()


async def _stopped(engine: df.DurableFunctionsClient) -> "list[Instance]":
    """Return the instances that somebody suspended or terminated; sub-orchestrations go with their parents."""
    from durabletask.client import OrchestrationQuery, OrchestrationStatus

    from rekey.operator_view import Instance

    wanted = [OrchestrationStatus.SUSPENDED, OrchestrationStatus.TERMINATED]
    states = await engine.get_all_orchestration_states(OrchestrationQuery(runtime_status=wanted))
    return [Instance.of(state) for state in states if ":" not in state.instance_id]
