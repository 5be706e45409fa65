"""Step start_rotation: an instance under another id hands over to the one that may rotate this secret."""

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.handing_over import outcome_of
from rekey import names
from rekey.model import RotationRequest
from rekey.starting import start_rotation


@blueprint.activity_trigger(input_name="payload", activity=names.START_ROTATION)
@blueprint.durable_client_input(client_name="client")
async def start_rotation_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Start the right instance unless it is running already."""
    return await outcome_of(start_rotation(client, RotationRequest.parse(payload)))
