"""The durable HTTP management API under /runtime/webhooks/durabletask, status codes as the real extension's.

https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api
"""

import json
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import Any, Never
from urllib.parse import quote
from uuid import uuid4

import grpc  # type: ignore[import-untyped]
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import wrappers_pb2  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.host.backend import LocalBackend
from local.host.instances import STATUS, history_payload, state_payload
from local.host.runs import FINISHED

BASE_PATH = "/runtime/webhooks/durabletask"
_PAGE = 100


class _RefusedError(Exception):
    """The engine refused a request: what its gRPC clients see as a status code."""

    def __init__(self, code: Any, details: str) -> None:
        super().__init__(details)
        self.code = code


class _DirectCall:
    """Stands in for the gRPC context when this process calls its own engine."""

    def abort(self, code: Any, details: str) -> Never:
        raise _RefusedError(code, details)


class Management:
    """The API's handlers. `orchestrators` are the names that can be started, in lower case."""

    def __init__(self, backend: LocalBackend, *, query: str, orchestrators: Collection[str]) -> None:
        self._backend = backend
        self._query = query
        self._orchestrators = orchestrators

    def routes(self) -> list[Route]:
        """Return the API's routes."""
        one = f"{BASE_PATH}/instances/{{id}}"
        posts: dict[str, Callable[[Request], Awaitable[Response]]] = {
            f"{BASE_PATH}/orchestrators/{{name}}": self.start,
            f"{BASE_PATH}/orchestrators/{{name}}/{{id}}": self.start,
            f"{one}/raiseEvent/{{event}}": self.raise_event,
            f"{one}/terminate": self.terminate,
            f"{one}/suspend": self.suspend,
            f"{one}/resume": self.resume,
            f"{one}/restart": self.restart,
        }
        return [
            *(Route(path, handler, methods=["POST"]) for path, handler in posts.items()),
            Route(f"{BASE_PATH}/instances", self.query_instances, methods=["GET"]),
            Route(one, self.status, methods=["GET"]),
            Route(one, self.purge, methods=["DELETE"]),
        ]

    async def start(self, request: Request) -> Response:
        """Start an orchestration; the body is its input."""
        name = request.path_params["name"]
        body = (await request.body()).decode()
        if body and not _is_json(body):
            return _error(400, "Invalid JSON content")
        if name.lower() not in self._orchestrators:
            return _error(400, f"The function '{name}' doesn't exist or is not an orchestrator function.")
        create = pb.CreateInstanceRequest(instanceId=request.path_params.get("id") or uuid4().hex, name=name)
        if body:
            create.input.value = body
        if version := request.query_params.get("version"):
            create.version.value = version
        try:
            started = self._backend.StartInstance(create, _DirectCall())
        except _RefusedError as refused:
            return _error(409, str(refused))
        return self._check_status(request, started.instanceId)

    async def status(self, request: Request) -> Response:
        """Answer 202 while it runs (suspended too), 200 when it has ended."""
        state = self._state(request)
        if state is None:
            return Response(status_code=404)
        payload = state_payload(state, show_input=_flag(request, "showInput", default=True))
        if _flag(request, "showHistory"):
            payload["historyEvents"] = self._history(request, state.instanceId)
        if state.orchestrationStatus not in FINISHED:
            return JSONResponse(payload, 202, {"Location": str(request.url), "Retry-After": "5"})
        failed = state.orchestrationStatus == pb.ORCHESTRATION_STATUS_FAILED
        wants_error = failed and _flag(request, "returnInternalServerErrorOnFailure")
        return JSONResponse(payload, 500 if wants_error else 200)

    async def query_instances(self, request: Request) -> Response:
        """List instances, newest last, `top` (100) at a time."""
        names = ",".join(request.query_params.getlist("runtimeStatus")).lower().split(",")
        query = pb.InstanceQuery(
            runtimeStatus=[status for status, name in STATUS.items() if name.lower() in names],
            fetchInputsAndOutputs=True,
            maxInstanceCount=int(top) if (top := request.query_params.get("top", "")).isdigit() else _PAGE,
        )
        for bound in ("createdTimeFrom", "createdTimeTo"):
            if (moment := _moment(request.query_params.get(bound))) is not None:
                getattr(query, bound).FromDatetime(moment)
        if prefix := request.query_params.get("instanceIdPrefix"):
            query.instanceIdPrefix.value = prefix
        if token := request.headers.get("x-ms-continuation-token"):
            query.continuationToken.value = token
        found = self._backend.QueryInstances(pb.QueryInstancesRequest(query=query), _DirectCall())
        show_input = _flag(request, "showInput")
        payload = [state_payload(state, show_input=show_input) for state in found.orchestrationState]
        return JSONResponse(payload, headers={"x-ms-continuation-token": found.continuationToken.value})

    async def purge(self, request: Request) -> Response:
        """Delete a finished instance."""
        state = self._state(request)
        if state is None:
            return Response(status_code=404)
        if state.orchestrationStatus not in FINISHED:
            return _error(412, "Only orchestrations in a terminal state can be purged.")
        purge = pb.PurgeInstancesRequest(instanceId=state.instanceId)
        purged = self._backend.PurgeInstances(purge, _DirectCall())
        return JSONResponse({"instancesDeleted": purged.deletedInstanceCount})

    async def raise_event(self, request: Request) -> Response:
        """Send an event to an instance that hasn't ended."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return _error(400, "Only application/json request content is supported")
        body = (await request.body()).decode()
        if body and not _is_json(body):
            return _error(400, "Invalid JSON content")
        event = pb.RaiseEventRequest(
            instanceId=request.path_params["id"], name=request.path_params["event"], input=_text(body)
        )
        self._backend.RaiseEvent(event, _DirectCall())
        return Response(status_code=202)

    async def terminate(self, request: Request) -> Response:
        """Ask an instance to end."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        end = pb.TerminateRequest(instanceId=request.path_params["id"], output=_reason(request))
        self._backend.TerminateInstance(end, _DirectCall())
        return Response(status_code=202)

    async def suspend(self, request: Request) -> Response:
        """Hold an instance."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        hold = pb.SuspendRequest(instanceId=request.path_params["id"], reason=_reason(request))
        self._backend.SuspendInstance(hold, _DirectCall())
        return Response(status_code=202)

    async def resume(self, request: Request) -> Response:
        """Let a held instance go on."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        go_on = pb.ResumeRequest(instanceId=request.path_params["id"], reason=_reason(request))
        self._backend.ResumeInstance(go_on, _DirectCall())
        return Response(status_code=202)

    async def restart(self, request: Request) -> Response:
        """Start it again with the input it had: under a new id (default), or its own if it has ended."""
        again = pb.RestartInstanceRequest(
            instanceId=request.path_params["id"],
            restartWithNewInstanceId=_flag(request, "restartWithNewInstanceId", default=True),
        )
        try:
            restarted = self._backend.RestartInstance(again, _DirectCall())
        except _RefusedError as refused:
            if refused.code == grpc.StatusCode.NOT_FOUND:
                # The real API answers 400 here, not 404: HandleRestartInstanceRequestAsync in HttpApiHandler.cs.
                return _error(400, "InstanceId does not match a valid orchestration instance.")
            return _error(409, str(refused))
        return self._check_status(request, restarted.instanceId)

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

    def _check_status(self, request: Request, instance_id: str) -> Response:
        links = self.links(f"{request.url.scheme}://{request.url.netloc}", instance_id)
        return JSONResponse(links, 202, {"Location": links["statusQueryGetUri"], "Retry-After": "10"})

    def _state(self, request: Request) -> pb.OrchestrationState | None:
        get = pb.GetInstanceRequest(instanceId=request.path_params["id"], getInputsAndOutputs=True)
        found = self._backend.GetInstance(get, _DirectCall())
        return found.orchestrationState if found.exists else None

    def _unless_running(self, request: Request) -> Response | None:
        state = self._state(request)
        if state is None:
            return Response(status_code=404)
        return Response(status_code=410) if state.orchestrationStatus in FINISHED else None

    def _history(self, request: Request, instance_id: str) -> list[dict[str, Any]]:
        chunks = self._backend.StreamInstanceHistory(
            pb.StreamInstanceHistoryRequest(instanceId=instance_id), _DirectCall()
        )
        events = [event for chunk in chunks for event in chunk.events]
        return history_payload(events, show_output=_flag(request, "showHistoryOutput"))


def _error(status: int, message: str) -> Response:
    return JSONResponse({"Message": message}, status)


def _flag(request: Request, name: str, *, default: bool = False) -> bool:
    given = {key.lower(): value.lower() for key, value in request.query_params.items()}
    return {"true": True, "false": False}.get(given.get(name.lower(), ""), default)


def _reason(request: Request) -> Any:
    reason = request.query_params.get("reason")
    return _text(json.dumps(reason)) if reason else None


def _text(value: str) -> Any:
    return wrappers_pb2.StringValue(value=value) if value else None


def _moment(text: str | None) -> datetime | None:
    """Read a time, UTC unless it says otherwise; what isn't one is ignored, as the real API does."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
