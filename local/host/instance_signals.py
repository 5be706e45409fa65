"""What the durable HTTP API sends to one instance: an event, an end, a pause, another try."""

import json
from typing import Any

from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import wrappers_pb2  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.host.backend import LocalBackend
from local.host.direct_calls import DirectCall, RefusedError
from local.host.runs import FINISHED


class InstanceSignals:
    """The handlers; each answers 202 when the engine has taken what was sent."""

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend

    async def raise_event(self, request: Request) -> Response:
        """Send an event to an instance that hasn't ended."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return refusal(400, "Only application/json request content is supported")
        body = (await request.body()).decode()
        if body and not is_json(body):
            return refusal(400, "Invalid JSON content")
        event = pb.RaiseEventRequest(
            instanceId=request.path_params["id"], name=request.path_params["event"], input=text(body)
        )
        self._backend.RaiseEvent(event, DirectCall())
        return Response(status_code=202)

    async def terminate(self, request: Request) -> Response:
        """Ask an instance to end."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        end = pb.TerminateRequest(instanceId=request.path_params["id"], output=_reason(request))
        self._backend.TerminateInstance(end, DirectCall())
        return Response(status_code=202)

    async def suspend(self, request: Request) -> Response:
        """Hold an instance."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        hold = pb.SuspendRequest(instanceId=request.path_params["id"], reason=_reason(request))
        self._backend.SuspendInstance(hold, DirectCall())
        return Response(status_code=202)

    async def resume(self, request: Request) -> Response:
        """Let a held instance go on."""
        if (missing := self._unless_running(request)) is not None:
            return missing
        go_on = pb.ResumeRequest(instanceId=request.path_params["id"], reason=_reason(request))
        self._backend.ResumeInstance(go_on, DirectCall())
        return Response(status_code=202)

    async def rewind(self, request: Request) -> Response:
        """Let a failed instance run again from what failed; 400 for one that is still running."""
        state = self.state(request.path_params["id"])
        if state is None:
            return Response(status_code=404)
        if state.orchestrationStatus in FINISHED and state.orchestrationStatus != pb.ORCHESTRATION_STATUS_FAILED:
            return Response(status_code=410)
        back = pb.RewindInstanceRequest(instanceId=state.instanceId, reason=_reason(request))
        try:
            self._backend.RewindInstance(back, DirectCall())
        except RefusedError:
            return refusal(400, "The rewind operation is only supported on failed orchestration instances.")
        return Response(status_code=202)

    def state(self, instance_id: str) -> pb.OrchestrationState | None:
        """Return the state of an instance; None if there is no such instance."""
        get = pb.GetInstanceRequest(instanceId=instance_id, getInputsAndOutputs=True)
        found = self._backend.GetInstance(get, DirectCall())
        return found.orchestrationState if found.exists else None

    def _unless_running(self, request: Request) -> Response | None:
        state = self.state(request.path_params["id"])
        if state is None:
            return Response(status_code=404)
        return Response(status_code=410) if state.orchestrationStatus in FINISHED else None


def refusal(status: int, message: str) -> Response:
    """Return a refusal with its reason, as the real API words it."""
    return JSONResponse({"Message": message}, status)


def _reason(request: Request) -> Any:
    reason = request.query_params.get("reason")
    return text(json.dumps(reason)) if reason else None


def text(value: str) -> Any:
    """Return a payload as the engine takes it; nothing for an empty one."""
    return wrappers_pb2.StringValue(value=value) if value else None


def is_json(body: str) -> bool:
    """Whether a body can be read as JSON."""
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
