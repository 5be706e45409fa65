"""The operator API's ways to leave service connections without a secret: plan it, start it, vend a new connection."""

import logging
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import operator_requests as requests
from rekey.clients import clients
from rekey.model.federation_request import FederationRequest, VendingRequest
from rekey.settings import settings
from rekey.starting import DurableClient, is_busy, start_federation, start_vending
from triggers.answers import CALLER, Answer, answered

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)

_EXPECTED = "an object with organization, project and connection, or with filter and limit"


@blueprint.route(route="service-connections/plan", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def plan_federation(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Say of each connection that `federate` would mean by the same body what would be done, and what would stop it."""
    return await answered(_plan(req.get_body(), req.headers.get(CALLER, ""), client))


@blueprint.route(route="service-connections/federate", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def post_federation(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Start what leaves `{organization, project, connection, mode, target, identity, name, soak}` without a secret.

    Or those of `{filter: {organization, project, finding, way, managed}, limit, dry_run, mode, soak}`, from the last
    audit report. 202 also if one is on its way, with `started` false then; 200 if there was nothing to start.
    """
    return await answered(_start(req.get_body(), req.headers.get(CALLER, ""), client))


@blueprint.route(route="service-connections/vend", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def post_vending(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Start making the connection of `{organization, project, name, scope, role, twin}`, which never has a secret."""
    return await answered(_vend(req.get_body(), req.headers.get(CALLER, ""), client))


async def _plan(body: bytes, caller: str, client: DurableClient) -> Answer:
    from rekey.federation import allowed, filtering, planning  # noqa: PLC0415 - likewise

    payload = requests.read_object(body, _EXPECTED)
    if "filter" in payload:
        chosen = await filtering.choose(clients(), filtering.read(payload, caller, settings()))
    else:
        chosen = filtering.Found(requests=(allowed.federation(payload, caller, settings()),), left_out=0)
    found = msgspec.to_builtins(await planning.plans(clients(), chosen.requests))
    plans = [{**plan, "running": await is_busy(client, plan["instance"])} for plan in found]
    return 200, {"matching": chosen.matching, "left_out": chosen.left_out, "plans": plans}


async def _start(body: bytes, caller: str, client: DurableClient) -> Answer:
    from rekey.federation import allowed, view  # noqa: PLC0415 - azure-core would be a tenth of the app's start

    payload = requests.read_object(body, _EXPECTED)
    if "filter" in payload:
        return await _start_many(payload, caller, client)
    request = allowed.federation(payload, caller, settings())
    await _put_down(request)
    instance, just_now = await start_federation(client, request)
    _say(instance, request, just_now=just_now)
    return 202, view.started(instance, just_now=just_now)


async def _start_many(payload: dict[str, Any], caller: str, client: DurableClient) -> Answer:
    from rekey.federation import filtering  # noqa: PLC0415 - likewise

    chosen = filtering.read(payload, caller, settings())
    answer = await filtering.start(clients(), client, chosen)
    line = {"outcome": "filtered", "requested_by": chosen.like.requested_by, **answer}
    _log.info("%s", msgspec.json.encode(line).decode())
    return 200 if chosen.dry_run or not answer["federations"] else 202, answer


async def _vend(body: bytes, caller: str, client: DurableClient) -> Answer:
    from rekey.federation import allowed, view  # noqa: PLC0415 - likewise

    payload = requests.read_object(body, "an object with organization, project, name, scope and role")
    request = allowed.vending(payload, caller, settings())
    await _put_down(request)
    instance, just_now = await start_vending(client, request)
    _say(instance, request, just_now=just_now)
    return 202, view.started(instance, just_now=just_now)


async def _put_down(request: FederationRequest | VendingRequest) -> None:
    from rekey.federation import asked_here  # noqa: PLC0415 - likewise

    if asked_here.grants_roles(request):
        await clients().storage_ready()
        await asked_here.keep(clients().container(), request)


def _say(instance: str, request: msgspec.Struct, *, just_now: bool) -> None:
    line = {"outcome": "started" if just_now else "running-already", "instance": instance, "request": request}
    _log.info("%s", msgspec.json.encode(line).decode())
