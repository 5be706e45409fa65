"""The durable engine: durabletask's in-memory backend, made to survive workers that die, pause or answer twice.

What it survives its own process with is kept by `runs.py` and `journal.py`; here are the activities' part of it.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent import futures
from datetime import UTC, datetime, timedelta
from typing import Any, override

import grpc  # type: ignore[import-untyped]
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as stubs
from durabletask.testing.in_memory_backend import EntityState, OrchestrationInstance

from local.host.leases import Kind, Lease, Leases
from local.host.rows import Activity, read
from local.host.runs import RunsBackend
from local.host.store import Store, StoreError

_LOG = logging.getLogger(__name__)
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# One thread for each open stream and each waiting client.
_THREADS = 64
_KINDS = {
    "orchestratorRequest": Kind.ORCHESTRATION,
    "activityRequest": Kind.ACTIVITY,
    "entityRequestV2": Kind.ENTITY,
}


class LocalBackend(RunsBackend):
    """The engine, served by gRPC on a loopback port of the system's choice. `store` has its state, and all of it.

    `on_lost` is called when the store can't be written any more; nothing is acknowledged from then on.
    """

    def __init__(
        self,
        store: Store,
        *,
        lease_seconds: float,
        default_version: str | None,
        on_lost: Callable[[StoreError], None],
        longest_timer: float | None = None,
    ) -> None:
        found = read(store)
        super().__init__(store, found, default_version=default_version, on_lost=on_lost)
        self._lease_time = timedelta(seconds=lease_seconds)
        self._longest_timer = timedelta(seconds=longest_timer) if longest_timer is not None else None
        self._leases = Leases()
        self._activities = {str(activity.item.completion_token): activity for activity in found.activities}
        self._activity_queue.extend(activity.item for activity in found.activities)
        self._next_completion_token += max((a.item.completion_token for a in found.activities), default=0)
        self._entities_used = False
        self.found = found.told()
        """What goes on in a sentence; empty if the store had nothing under way."""
        self._go_on(found)

    @override
    def start(self) -> str:
        server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=_UNLIMITED)
        stubs.add_TaskHubSidecarServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        self._port = server.add_insecure_port("127.0.0.1:0")
        self._server = server
        server.start()
        return f"127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The gRPC port, known after `start`."""
        return self._port

    @override
    def GetWorkItems(self, request: pb.GetWorkItemsRequest, context: Any) -> Iterator[pb.WorkItem]:
        """Stream work; what this stream was given and didn't complete goes back when it is lost."""
        stream = object()
        context.add_callback(lambda: self._take_back_all(stream))
        for item in super().GetWorkItems(request, context):
            self._lease(item, stream)
            if not context.is_active():
                self._take_back(item.completionToken)
                return
            yield item

    @override
    def _arm(self, instance_id: str, when: datetime, task_id: int | None) -> None:
        """Arm a timer, or a delayed start, which the switch for tests leaves alone: a test that delays one means it."""
        if self._longest_timer is not None and task_id is not None:
            when = min(when, datetime.now(UTC) + self._longest_timer)
        super()._arm(instance_id, when, task_id)

    def _lease(self, item: pb.WorkItem, stream: object) -> None:
        """Give the item a token of its own, good for one completion within the lease time."""
        with self._lock:
            kind = _KINDS[item.WhichOneof("request") or ""]
            token = self._leases.grant(kind, item.completionToken, stream).token
        item.completionToken = token
        self._timers.at(datetime.now(UTC) + self._lease_time, lambda: self._take_back(token))

    def _take_back_all(self, stream: object) -> None:
        with self._lock:
            for lease in self._leases.of(stream):
                self._take_back(lease.token)

    def _take_back(self, token: str) -> None:
        with self._lock:
            lease = self._leases.end(token)
            if lease is None:
                return
            _LOG.info("%s work item taken back for another delivery", lease.kind.name.lower())
            if lease.kind is Kind.ACTIVITY:
                self._activity_queue.append(self._activities[lease.work].item)
                self._work_available.set()
            elif lease.kind is Kind.ORCHESTRATION:
                abandoned = pb.AbandonOrchestrationTaskRequest(completionToken=lease.work)
                self.AbandonTaskOrchestratorWorkItem(abandoned, None)
            else:
                self.AbandonTaskEntityWorkItem(pb.AbandonEntityTaskRequest(completionToken=lease.work), None)

    def _settle(self, token: str, what: str) -> Lease | None:
        lease = self._leases.end(token)
        if lease is None:
            _LOG.warning("a late completion of %s is ignored: its lease has ended", what)
        return lease

    @override
    def CompleteOrchestratorTask(self, request: pb.OrchestratorResponse, context: Any) -> pb.CompleteTaskResponse:
        with self._lock:
            lease = self._settle(request.completionToken, request.instanceId)
            if lease is None:
                return pb.CompleteTaskResponse()
            request.completionToken = lease.work
            self._journal.touched(request.instanceId)
            return super().CompleteOrchestratorTask(request, context)

    @override
    def CompleteEntityTask(self, request: pb.EntityBatchResult, context: Any) -> pb.CompleteTaskResponse:
        with self._lock:
            lease = self._settle(request.completionToken, "an entity's operations")
            if lease is None:
                return pb.CompleteTaskResponse()
            request.completionToken = lease.work
            return super().CompleteEntityTask(request, context)

    @override
    def CompleteActivityTask(self, request: pb.ActivityResponse, context: Any) -> pb.CompleteTaskResponse:
        with self._lock:
            lease = self._settle(request.completionToken, f"task {request.taskId} of {request.instanceId}")
            activity = self._activities.pop(lease.work) if lease else None
            if activity is None:
                return pb.CompleteTaskResponse()
            self._journal.settled(activity)
            if not self._is_live(activity.item.instance_id, activity.run):
                _LOG.warning("a late result for %s is ignored: that run has ended", request.instanceId)
                return pb.CompleteTaskResponse()
            if request.HasField("failureDetails") and not request.failureDetails.errorMessage:
                # The stock backend takes a failure without a message for a success.
                request.failureDetails.errorMessage = request.failureDetails.errorType or "error"
            return super().CompleteActivityTask(request, context)

    @override
    def _process_schedule_task_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        super()._process_schedule_task_action(instance, action)
        item = self._activity_queue[-1]
        # The stock token is shared by all activities of one episode, and a retry reuses the task id.
        item.completion_token = self._next_completion_token
        self._next_completion_token += 1
        activity = Activity(item, self._runs[instance.instance_id])
        self._activities[str(item.completion_token)] = activity
        self._journal.scheduled(activity)

    @override
    def _enqueue_entity(self, entity_id: str) -> None:
        if not self._entities_used:
            self._entities_used = True
            _LOG.warning("entities are kept in memory only: what they hold ends with this host")
        super()._enqueue_entity(entity_id)

    def stored(self) -> tuple[list[OrchestrationInstance], list[EntityState]]:
        """Everything in the store, for reading only."""
        with self._lock:
            return list(self._instances.values()), list(self._entities.values())
