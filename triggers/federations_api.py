"""The operator API's view of federations, and what operators decide about them.

A decision is put down in the record, which is what the orchestrator acts on; the durable event that follows only says
that there is something to read.
"""

import logging
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import operator_requests as requests
from rekey.model.federation import FederationDecision, FederationDecisionKind
from rekey.starting import DurableClient
from triggers import federations
from triggers.answers import CALLER, Answer, answered
from triggers.instances import instances, tell

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


@blueprint.route(route="federations", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def list_federations(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """List the federations in `?state=open` or `closed`, all without it, newest first, with the instances at work."""
    return await answered(_list(req.params.get("state", ""), client))


@blueprint.route(route="federations/{id}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def show_federation(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Show one federation in full, by its id or its instance's, and what can be decided about it."""
    return await answered(_show(req.route_params.get("id", "").lower(), client))


@blueprint.route(route="federations/{id}/{decision}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def post_federation_decision(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Take the decision `approve`, by the federation's own id, or `revert`, by its own or its instance's.

    200 also if it was taken before, with who took it first. `heard` says whether the instance was told at once.
    """
    wanted, decision = (req.route_params.get(name, "").lower() for name in ("id", "decision"))
    return await answered(_decide(wanted, decision, requests.requester(req.headers.get(CALLER, "")), client))


async def _list(state: str, client: DurableClient) -> Answer:
    from rekey.federation import view  # noqa: PLC0415 - azure-core would be a tenth of the app's start

    wanted = requests.read_state(state)
    found = [one for one in await federations.records().all() if wanted in {"", one.state}]
    return 200, view.listing(found, await instances(client, view.instances_of(found)))


async def _show(wanted: str, client: DurableClient) -> Answer:
    from rekey.federation import view  # noqa: PLC0415 - likewise

    return 200, view.federation(*await federations.found(wanted, client))


async def _decide(wanted: str, decision: str, by: str, client: DurableClient) -> Answer:
    from rekey.federation import deciding, view  # noqa: PLC0415 - likewise

    if decision not in tuple(FederationDecisionKind):
        said = f"decision: got {requests.shown(decision)}, expected {', '.join(FederationDecisionKind)}"
        raise requests.RefusedError(404, "unknown-decision", said, "decision")
    kind, now = FederationDecisionKind(decision), datetime.now(UTC)
    record, walking = await federations.found(wanted, client)
    if record is None:
        raise requests.RefusedError(409, "too-early", "id: the federation has no record, so that nothing waits", "id")
    record = await federations.decided_with(record)
    if kind is FederationDecisionKind.APPROVE and record.federation.grants_roles:
        deciding.require_own_id(record, wanted)
    if deciding.standing(record, kind) is None:
        deciding.check(record, kind, by, now)
        taken = FederationDecision(kind=kind, by=by, at=now)
        record = await federations.records().decide(record.federation.id, taken)
    answer = view.decided(record, kind, heard=view.walks(record, walking) and await tell(client, walking))
    _log.info("%s", msgspec.json.encode({"outcome": "decided", **answer}).decode())
    return 200, answer
