"""Step start_alone: an instance under another id hands over to the one that may do what Rekey does on its own."""

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.handing_over import outcome_of
from rekey import names
from rekey.model import decode
from rekey.model.request import Alone
from rekey.starting import start_alone


@blueprint.activity_trigger(input_name="payload", activity=names.START_ALONE)
@blueprint.durable_client_input(client_name="client")
async def start_alone_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Start the orchestrator's one instance unless it is running already."""
    return await outcome_of(_start(client, decode(payload, Alone).orchestrator))


async def _start(client: df.DurableFunctionsClient, orchestrator: str) -> tuple[str, bool]:
    return orchestrator, await start_alone(client, orchestrator)
