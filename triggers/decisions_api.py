"""The operator API's decisions: put down in the rotation's record, which is what the orchestrator acts on.

The durable event that follows only says that there is something to read: one that is raised by hand, early, late or
twice decides nothing.
"""

import logging
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import decisions
from rekey import operator_requests as requests
from rekey import operator_view as view
from rekey.model import Decision, DecisionKind
from rekey.starting import DurableClient
from triggers import rotations
from triggers.answers import CALLER, Answer, answered
from triggers.instances import tell

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


@blueprint.route(route="rotations/{id}/{decision}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@blueprint.durable_client_input(client_name="client")
async def post_decision(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    """Take the decision `acknowledge` with `{consumer}` about a rotation, by its id or its instance's.

    200 also if it was taken before, with who took it first. `heard` says whether the rotation was told at once.
    """
    wanted, decision = (req.route_params.get(name, "").lower() for name in ("id", "decision"))
    return await answered(_decide(wanted, decision, req.get_body(), req.headers.get(CALLER, ""), client))


async def _decide(wanted: str, decision: str, body: bytes, caller: str, client: DurableClient) -> Answer:
    if decision not in tuple(DecisionKind):
        expected = ", ".join(DecisionKind)
        said = f"decision: got {requests.shown(decision)}, expected {expected}"
        raise requests.RefusedError(404, "unknown-decision", said, "decision")
    consumer = _consumer(body)
    record, instance = await rotations.found(wanted, client)
    if record is None:
        raise requests.RefusedError(409, "too-early", "id: the rotation has no record, so that nothing waits", "id")
    meant = decisions.acknowledgeable(record, consumer)
    taken = Decision(
        kind=DecisionKind.ACKNOWLEDGE, subject=meant.consumer, by=requests.requester(caller), at=datetime.now(UTC)
    )
    record = await rotations.records().decide(record.rotation_id, taken)
    standing = decisions.acknowledgements(record)
    walks_it = instance is not None and instance.rotation_id == record.rotation_id
    heard = record.state == "open" and walks_it and await tell(client, instance)
    answer = view.decided(record, meant.consumer, standing, heard=heard)
    _log.info("%s", msgspec.json.encode({"outcome": "decided", **answer}).decode())
    return 200, answer


def _consumer(body: bytes) -> Any:
    payload = requests.read_object(body, "an object with consumer")
    for field in payload:
        if field != "consumer":
            raise requests.bad_input(field if field.isidentifier() else requests.shown(field), "unknown", "consumer")
    if not isinstance(payload.get("consumer"), str):
        got = f"got {requests.shown(payload['consumer'])}" if "consumer" in payload else "missing"
        raise requests.bad_input(
            "consumer", got, "the URI of a consumer that is changed by hand, manual:<mail address>"
        )
    return payload["consumer"]
