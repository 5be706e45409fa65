"""Step start_vending: an instance under another id hands over to the one that may make this connection."""

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.handing_over import outcome_of
from rekey import names
from rekey.model.federation import VendingRequest
from rekey.starting import start_vending


@blueprint.activity_trigger(input_name="payload", activity=names.START_VENDING)
@blueprint.durable_client_input(client_name="client")
async def start_vending_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Start the right instance unless it is running already."""
    return await outcome_of(start_vending(client, VendingRequest.parse(payload)))
