"""Step start_federation: an instance under another id hands over to the one that may federate this connection."""

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.handing_over import outcome_of
from rekey import names
from rekey.model.federation import FederationRequest
from rekey.starting import start_federation


@blueprint.activity_trigger(input_name="payload", activity=names.START_FEDERATION)
@blueprint.durable_client_input(client_name="client")
async def start_federation_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Start the right instance unless it is running already."""
    return await outcome_of(start_federation(client, FederationRequest.parse(payload)))
