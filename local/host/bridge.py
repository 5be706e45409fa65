"""Durable work items to the app's functions, their outcomes back to the engine; as the real extension encodes them."""

import asyncio
import base64
import logging
from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped]
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as stubs
from google.protobuf import empty_pb2, wrappers_pb2  # type: ignore[import-untyped]

from local.host.faults import Faults
from local.host.functions import DURABLE_TRIGGERS, FunctionInfo, durable_names
from local.host.invoker import FunctionError, FunctionTimeoutError, Invoker, datum
from local.host.wire import WorkerOptions

_LOG = logging.getLogger(__name__)
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_CONCURRENCY = 100
_RECONNECT_SECONDS = 0.2


class _NotFoundError(Exception):
    """The work item names a function that the app doesn't have."""


class Bridge:
    """Takes work items from the engine's stream until it is cancelled."""

    def __init__(
        self,
        invoker: Invoker,
        faults: Faults,
        options: WorkerOptions,
        on_timeout: Callable[[FunctionTimeoutError], None],
    ) -> None:
        self._invoker = invoker
        self._faults = faults
        self._engine = options.engine
        self._client_binding = options.client_binding
        self._on_timeout = on_timeout
        self._names = {kind: durable_names(invoker.functions, kind) for kind in DURABLE_TRIGGERS}
        self._free = asyncio.Semaphore(_CONCURRENCY)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Work for ever; a lost stream is opened again."""
        while True:
            try:
                async with grpc.aio.insecure_channel(self._engine, options=_UNLIMITED) as channel:
                    await self._serve(stubs.TaskHubSidecarServiceStub(channel))  # type: ignore[no-untyped-call]
            except grpc.aio.AioRpcError as error:
                _LOG.warning("the stream of work items is lost: %s", error.code())
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _serve(self, stub: Any) -> None:
        await stub.Hello(empty_pb2.Empty(), wait_for_ready=True)
        async for item in stub.GetWorkItems(pb.GetWorkItemsRequest()):
            await self._free.acquire()
            task = asyncio.create_task(self._handle(stub, item))
            self._tasks.add(task)
            task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free.release()
        if task.cancelled() or not (error := task.exception()):
            return
        if isinstance(error, FunctionTimeoutError):
            self._on_timeout(error)
        else:
            _LOG.error("a work item was not completed: its lease will run out", exc_info=error)

    async def _handle(self, stub: Any, item: pb.WorkItem) -> None:
        kind = item.WhichOneof("request")
        if kind == "orchestratorRequest":
            response = await self._orchestration(item.orchestratorRequest)
            response.completionToken = item.completionToken
            await stub.CompleteOrchestratorTask(response)
        elif kind == "activityRequest":
            result = await self._activity(item.activityRequest)
            result.completionToken = item.completionToken
            await stub.CompleteActivityTask(result)
        elif kind == "entityRequestV2":
            batch = await self._entity(item.entityRequestV2)
            batch.completionToken = item.completionToken
            await stub.CompleteEntityTask(batch)

    async def _orchestration(self, request: pb.OrchestratorRequest) -> pb.OrchestratorResponse:
        events = [*request.newEvents, *request.pastEvents]
        name = next((e.executionStarted.name for e in events if e.HasField("executionStarted")), "")
        try:
            answer = await self._durable("orchestrationTrigger", name, request)
        except (FunctionError, _NotFoundError) as error:
            failed = helpers.new_complete_orchestration_action(-1, pb.ORCHESTRATION_STATUS_FAILED, "", _failure(error))
            return pb.OrchestratorResponse(instanceId=request.instanceId, actions=[failed])
        response: pb.OrchestratorResponse = pb.OrchestratorResponse.FromString(answer)
        response.instanceId = request.instanceId
        return response

    async def _activity(self, request: pb.ActivityRequest) -> pb.ActivityResponse:
        response = pb.ActivityResponse(instanceId=request.orchestrationInstance.instanceId, taskId=request.taskId)
        try:
            name = self._function("activityTrigger", request.name)
            result = await self._faults.around(request.name, lambda: self._run_activity(name, request))
        except (FunctionError, _NotFoundError) as error:
            response.failureDetails.CopyFrom(_failure(error))
            return response
        if result is not None and result.value not in {None, "null"}:
            response.result.value = result.value
        return response

    async def _run_activity(self, name: str, request: pb.ActivityRequest) -> Any:
        raw = request.input.value if request.HasField("input") else "null"
        return await self._invoker.invoke(
            name, with_client(self._invoker.functions[name], datum(raw, "json"), self._client_binding)
        )

    async def _entity(self, request: pb.EntityRequest) -> pb.EntityBatchResult:
        batch, infos = helpers.convert_to_entity_batch_request(request)
        try:
            answer = await self._durable("entityTrigger", request.instanceId.split("@")[1], batch)
            result: pb.EntityBatchResult = pb.EntityBatchResult.FromString(answer)
        except (FunctionError, _NotFoundError) as error:
            failure = pb.OperationResultFailure(failureDetails=_failure(error))
            failed = [pb.OperationResult(failure=failure) for _ in batch.operations]
            result = pb.EntityBatchResult(entityState=batch.entityState, results=failed)
        del result.operationInfos[:]
        result.operationInfos.extend(infos)
        return result

    async def _durable(self, kind: str, name: str, request: Any) -> bytes:
        """Run an orchestrator or an entity: the request goes in and the response comes out as base64."""
        function = self._function(kind, name)
        trigger = str(self._invoker.functions[function].trigger["name"])
        body = base64.b64encode(request.SerializeToString()).decode()
        result = await self._invoker.invoke(function, [(trigger, datum(body, "string"))])
        return base64.b64decode(result.value)

    def _function(self, kind: str, name: str) -> str:
        try:
            return self._names[kind][name.lower()]
        except KeyError:
            raise _NotFoundError(f"The function '{name}' doesn't exist, is disabled, or has no {kind}.") from None


def with_client(info: FunctionInfo, trigger_value: Any, client_binding: str) -> list[tuple[str, Any]]:
    """Return a function's inputs: the trigger's value and the JSON of each durable client it asks for."""
    clients = [binding for binding in info.bindings if binding["type"] == "durableClient"]
    named = [(str(binding["name"]), datum(client_binding, "string")) for binding in clients]
    return [(str(info.trigger["name"]), trigger_value), *named]


def _failure(error: FunctionError | _NotFoundError) -> pb.TaskFailureDetails:
    if isinstance(error, _NotFoundError):
        return pb.TaskFailureDetails(errorType="FunctionNotFound", errorMessage=str(error))
    return pb.TaskFailureDetails(
        errorType=error.kind,
        errorMessage=error.message or error.kind,
        stackTrace=wrappers_pb2.StringValue(value=error.trace),
    )
