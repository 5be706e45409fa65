"""Step start_rotation: an instance under another id hands over to the one that may rotate this secret."""

from typing import Any

import azure.durable_functions as df

from rekey import names
from rekey.model import Ok, Outcome, RotationRequest, Unclear, encode
from rekey.starting import start_rotation

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="payload", activity=names.START_ROTATION)
@blueprint.durable_client_input(client_name="client")
async def start_rotation_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Start the right instance unless it is running already."""
    try:
        instance, started = await start_rotation(client, RotationRequest.parse(payload))
    except Exception as error:  # noqa: BLE001 - the engine's errors may quote the input
        outcome: Outcome = Unclear("not-started", f"starting the rotation failed ({type(error).__name__})")
    else:
        outcome = Ok({"instance": instance, "started": started})
    encoded: dict[str, Any] = encode(outcome)
    return encoded
