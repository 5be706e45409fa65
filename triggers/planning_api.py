"""The operator API's plan: what a rotation would do and what would stop it, while nothing is changed or started."""

from typing import Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import operator_requests as requests
from rekey.clients import clients
from rekey.model import RotationRequest
from rekey.starting import DurableClient, is_busy
from triggers.answers import CALLER, Answer, answered

blueprint = df.Blueprint()


@blueprint.route(route="rotations/plan", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def plan_rotation(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Say what the rotation of `{vault, secret, reason}` would do; `running` says that one is on its way already."""
    return await answered(_plan(req.get_body(), req.headers.get(CALLER, ""), client))


async def _plan(body: bytes, caller: str, client: DurableClient) -> Answer:
    request = requests.read_one(requests.read_object(body, "an object with vault and secret"), caller)
    plan = await _made(request)
    return 200, {**plan, "running": await is_busy(client, plan["instance"])}


async def _made(request: RotationRequest) -> dict[str, Any]:
    from rekey import plan  # noqa: PLC0415 - policies, kinds and the vault would be a tenth of the app's start

    made: dict[str, Any] = msgspec.to_builtins(await plan.make(clients(), request))
    return made
