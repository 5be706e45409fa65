"""Step read_audit_log: one turn of reading a vault's audit log, at most as much as one activity may."""

from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.audit import Glance, Read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rekey.audit.access import Access
    from rekey.audit.ports import Hit
    from rekey.starting import DurableClient


@blueprint.activity_trigger(input_name="payload", activity=names.READ_AUDIT_LOG)
@blueprint.durable_client_input(client_name="client")
async def read_audit_log_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Read what is new."""
    return await run_unrecorded(names.READ_AUDIT_LOG, Glance, lambda desk, glance: read(desk, client, glance), payload)


async def read(desk: Desk, engine: "DurableClient", glance: Glance) -> Read:
    """Count and judge what is new, remember who read what, and wake rotations whose old version is missed."""
    from rekey.audit.alerts import counted
    from rekey.audit.tally import Tally
    from rekey.audit.turn import Turn

    place = glance.place

    async def weigh(accesses: "Sequence[Access]") -> "list[Hit]":
        return await _weigh(desk, engine, place.vault, accesses)

    turn = Turn(desk.clients.audit_logs(place.account), desk.clients.container(), weigh, counted)
    return await turn.run(glance, Tally(place.vault))


async def _weigh(desk: Desk, engine: "DurableClient", vault: str, accesses: "Sequence[Access]") -> "list[Hit]":
    from rekey.audit.judging import judge
    from rekey.audit.prompting import prompt
    from rekey.audit.readers import Readers
    from rekey.audit.surroundings import known
    from rekey.registry import audit_rule

    around = await known(desk.clients, vault, accesses)
    hits = judge(accesses, around, [audit_rule(rule)() for rule in desk.settings.audit.rules])
    await Readers(desk.clients.container()).learn(vault, accesses)
    await prompt(desk.records(), engine, vault, accesses, around)
    return hits
