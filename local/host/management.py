"""The durable HTTP management API under /runtime/webhooks/durabletask, status codes as the real extension's.

https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api
Entities are not there (501): no function app here has one.
"""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Collection
from time import monotonic
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import grpc  # type: ignore[import-untyped]
from durabletask.internal import orchestrator_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.host.backend import LocalBackend
from local.host.direct_calls import DirectCall, RefusedError
from local.host.instance_filters import flag, list_query, purge_filter, seconds
from local.host.instance_signals import InstanceSignals, is_json, refusal, text
from local.host.instances import history_payload, state_payload
from local.host.routes import compile_route, find_route
from local.host.runs import FINISHED

BASE_PATH = "/runtime/webhooks/durabletask"
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
# Which handler answers what, below the base path.
_OPERATIONS = [
    compile_route("start", "orchestrators/{name}/{id?}", ["POST"]),
    compile_route("query_instances", "instances", ["GET"]),
    compile_route("purge_many", "instances", ["DELETE"]),
    compile_route("status", "instances/{id}", ["GET"]),
    compile_route("purge", "instances/{id}", ["DELETE"]),
    compile_route("raise_event", "instances/{id}/raiseEvent/{event}", ["POST"]),
    compile_route("terminate", "instances/{id}/terminate", ["POST"]),
    compile_route("suspend", "instances/{id}/suspend", ["POST"]),
    compile_route("resume", "instances/{id}/resume", ["POST"]),
    compile_route("rewind", "instances/{id}/rewind", ["POST"]),
    compile_route("restart", "instances/{id}/restart", ["POST"]),
    compile_route("entities", "entities/{**rest}", []),
    compile_route("make_primary", "makeprimary", []),
]
_LONGEST_ID = 256
_FORBIDDEN_IN_IDS = frozenset("/\\?#")
_SHORTEST_POLL = 0.05


class Management(InstanceSignals):
    """The API's handlers. `orchestrators` are the names that can be started, in lower case."""

    def __init__(self, backend: LocalBackend, *, query: str, orchestrators: Collection[str]) -> None:
        super().__init__(backend)
        self._query = query
        self._orchestrators = orchestrators

    def routes(self) -> list[Route]:
        """Return the API's one route: what is below it is matched as the real extension matches, without case."""
        return [Route(f"{BASE_PATH}/{{below:path}}", self.handle, methods=_METHODS)]

    async def handle(self, request: Request) -> Response:
        """Answer a request; a path or a method that the API doesn't have is 404."""
        found = find_route(_OPERATIONS, request.method, request.path_params["below"])
        if found is None:
            return Response(status_code=404)
        route, values = found
        request.path_params.update(values)
        handler: Callable[[Request], Awaitable[Response]] = getattr(self, route.function)
        return await handler(request)

    async def start(self, request: Request) -> Response:
        """Start an orchestration; the body is its input. With `timeout` and `pollingInterval`, wait for its end."""
        name, instance_id = request.path_params["name"], request.path_params.get("id", "")
        body = (await request.body()).decode()
        if body and not is_json(body):
            return refusal(400, "Invalid JSON content")
        if name.lower() not in self._orchestrators:
            return refusal(400, f"The function '{name}' doesn't exist or is not an orchestrator function.")
        if (wrong := _wrong_id(instance_id)) is not None:
            return refusal(400, wrong)
        create = pb.CreateInstanceRequest(instanceId=instance_id or uuid4().hex, name=name, input=text(body))
        if version := request.query_params.get("version"):
            create.version.value = version
        try:
            started = self._backend.StartInstance(create, DirectCall())
        except RefusedError as refused:
            return refusal(409, str(refused))
        return await self._completion_or_links(request, started.instanceId)

    async def status(self, request: Request) -> Response:
        """Answer 202 while it runs (suspended too), 200 when it has ended."""
        state = self.state(request.path_params["id"])
        return Response(status_code=404) if state is None else self._shown(request, state)

    async def query_instances(self, request: Request) -> Response:
        """List instances, newest last, `top` (100) at a time."""
        found = self._backend.QueryInstances(pb.QueryInstancesRequest(query=list_query(request)), DirectCall())
        show_input = flag(request, "showInput", default=True)
        payload = [state_payload(state, show_input=show_input) for state in found.orchestrationState]
        return JSONResponse(payload, headers={"x-ms-continuation-token": found.continuationToken.value})

    async def purge(self, request: Request) -> Response:
        """Delete a finished instance."""
        state = self.state(request.path_params["id"])
        if state is None:
            return Response(status_code=404)
        if state.orchestrationStatus not in FINISHED:
            return refusal(412, "Only orchestrations in a terminal state can be purged.")
        return self._purged(pb.PurgeInstancesRequest(instanceId=state.instanceId))

    async def purge_many(self, request: Request) -> Response:
        """Delete the finished instances that were created in a time, of certain statuses if some are named."""
        wanted = purge_filter(request)
        if wanted is None:
            return JSONResponse("Please provide value for 'createdTimeFrom' parameter.", 400)
        return self._purged(pb.PurgeInstancesRequest(purgeInstanceFilter=wanted))

    async def restart(self, request: Request) -> Response:
        """Start it again with the input it had: under a new id (default), or its own if it has ended."""
        again = pb.RestartInstanceRequest(
            instanceId=request.path_params["id"],
            restartWithNewInstanceId=flag(request, "restartWithNewInstanceId", default=True),
        )
        try:
            restarted = self._backend.RestartInstance(again, DirectCall())
        except RefusedError as refused:
            if refused.code == grpc.StatusCode.NOT_FOUND:
                # The real API answers 400 here, not 404: HandleRestartInstanceRequestAsync in HttpApiHandler.cs.
                return refusal(400, "InstanceId does not match a valid orchestration instance.")
            return refusal(409, str(refused))
        return await self._completion_or_links(request, restarted.instanceId)

    async def entities(self, _: Request) -> Response:
        """Say that there are none."""
        return refusal(501, "This host has no HTTP API for durable entities.")

    async def make_primary(self, _: Request) -> Response:
        """Make this the one app that works on the task hub, which it is."""
        return Response()

    def links(self, origin: str, instance_id: str) -> dict[str, str]:
        """Return the URLs that manage an instance; each carries the key, so none may reach a caller of the app."""
        base = f"{origin}{BASE_PATH}/instances/{quote(instance_id, safe='')}"
        return {
            "id": instance_id,
            "statusQueryGetUri": f"{base}?{self._query}",
            "sendEventPostUri": f"{base}/raiseEvent/{{eventName}}?{self._query}",
            "terminatePostUri": f"{base}/terminate?reason={{text}}&{self._query}",
            "purgeHistoryDeleteUri": f"{base}?{self._query}",
            "restartPostUri": f"{base}/restart?{self._query}",
            "suspendPostUri": f"{base}/suspend?reason={{text}}&{self._query}",
            "resumePostUri": f"{base}/resume?reason={{text}}&{self._query}",
        }

    async def _completion_or_links(self, request: Request, instance_id: str) -> Response:
        """Wait for the end as long as the caller wants to: a completed one's output, another's status, or 202."""
        timeout, interval = seconds(request, "timeout"), seconds(request, "pollingInterval")
        if timeout is None or interval is None:
            return self._check_status(request, instance_id)
        if interval > timeout:
            return refusal(400, f"Total timeout {timeout:g} should be bigger than retry timeout {interval:g}")
        deadline = monotonic() + timeout
        while (state := self.state(instance_id)) is None or state.orchestrationStatus not in FINISHED:
            if (left := deadline - monotonic()) <= 0:
                return self._check_status(request, instance_id)
            await asyncio.sleep(min(left, max(interval, _SHORTEST_POLL)))
        if state.orchestrationStatus == pb.ORCHESTRATION_STATUS_COMPLETED:
            return JSONResponse(state_payload(state, show_input=False)["output"])
        return self._shown(request, state)

    def _check_status(self, request: Request, instance_id: str) -> Response:
        links = self.links(f"{request.url.scheme}://{request.url.netloc}", instance_id)
        return JSONResponse(links, 202, {"Location": links["statusQueryGetUri"], "Retry-After": "10"})

    def _shown(self, request: Request, state: pb.OrchestrationState) -> Response:
        payload = state_payload(state, show_input=flag(request, "showInput", default=True))
        if flag(request, "showHistory"):
            payload["historyEvents"] = self._history(request, state.instanceId)
        if state.orchestrationStatus not in FINISHED:
            return JSONResponse(payload, 202, {"Location": str(request.url), "Retry-After": "5"})
        failed = state.orchestrationStatus == pb.ORCHESTRATION_STATUS_FAILED
        wants_error = failed and flag(request, "returnInternalServerErrorOnFailure")
        return JSONResponse(payload, 500 if wants_error else 200)

    def _purged(self, purge: pb.PurgeInstancesRequest) -> Response:
        deleted = self._backend.PurgeInstances(purge, DirectCall()).deletedInstanceCount
        return JSONResponse({"instancesDeleted": deleted}) if deleted else Response(status_code=404)

    def _history(self, request: Request, instance_id: str) -> list[dict[str, Any]]:
        stream = pb.StreamInstanceHistoryRequest(instanceId=instance_id)
        chunks = self._backend.StreamInstanceHistory(stream, DirectCall())
        events = [event for chunk in chunks for event in chunk.events]
        return history_payload(events, show_output=flag(request, "showHistoryOutput"))


def _wrong_id(instance_id: str) -> str | None:
    if instance_id.startswith("@"):
        return "Orchestration instance ids must not start with @."
    if any(char in _FORBIDDEN_IN_IDS or unicodedata.category(char) == "Cc" for char in instance_id):
        return "Orchestration instance ids must not contain /, \\, #, ?, or control characters."
    if len(instance_id) > _LONGEST_ID:
        return f"Instance ID lengths must not exceed {_LONGEST_ID} characters."
    return None
