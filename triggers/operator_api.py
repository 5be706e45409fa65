"""The operator API: start rotations, list them, look at one.

The key of a function is all that these functions ask for themselves; Entra authentication belongs in front of the app
(https://learn.microsoft.com/azure/app-service/overview-authentication-authorization).
"""

import logging
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import filtered_start
from rekey import operator_requests as requests
from rekey import operator_view as view
from rekey.clients import clients
from rekey.settings import settings
from rekey.starting import DurableClient, start_rotation
from triggers import rotations
from triggers.answers import CALLER, Answer, answered
from triggers.instances import instances

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


@blueprint.route(route="rotations", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def post_rotation(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Start the rotation of `{vault, secret, reason}`; 202 also if one is on its way, with `started` false then.

    Or those of `{filter: {vaults, tags, kind}, limit, reason, dry_run}`; 200 if there was nothing to start.
    """
    return await answered(_start(req.get_body(), req.headers.get(CALLER, ""), client))


@blueprint.route(route="rotations", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def list_rotations(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """List the records in `?state=open` or `closed`, all without it, newest first, with the instances at work."""
    return await answered(_list(req.params.get("state", ""), client))


@blueprint.route(route="rotations/{id}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def show_rotation(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Show one rotation in full, by rotation id or instance id."""
    return await answered(_show(req.route_params.get("id", "").lower(), client))


async def _start(body: bytes, caller: str, client: DurableClient) -> Answer:
    payload = requests.read_object(body, "an object with vault and secret, or with filter and limit")
    if "filter" in payload:
        return await _start_many(payload, caller, client)
    request = requests.read_one(payload, caller)
    settings().scope_of(request.vault)
    instance, just_now = await start_rotation(client, request)
    line = {"outcome": "started" if just_now else "running-already", "instance": instance, "request": request}
    _log.info("%s", msgspec.json.encode(line).decode())
    return 202, view.started(instance, just_now=just_now)


async def _start_many(payload: dict[str, Any], caller: str, client: DurableClient) -> Answer:
    chosen = filtered_start.read(payload, caller, clients())
    answer = await filtered_start.start(clients(), client, chosen)
    told = {field: answer[field] for field in ("dry_run", "matching", "left_out", "instances")}
    _log.info("%s", msgspec.json.encode({"outcome": "filtered", "requested_by": chosen.requested_by, **told}).decode())
    return 200 if chosen.dry_run or not answer["instances"] else 202, answer


async def _list(state: str, client: DurableClient) -> Answer:
    summaries = await rotations.records().listing(requests.read_state(state))
    return 200, view.listing(summaries, await instances(client, view.instances_of(summaries)))


async def _show(wanted: str, client: DurableClient) -> Answer:
    return 200, view.rotation(*await rotations.found(wanted, client))
