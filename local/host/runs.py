"""Which execution of an instance id a timer, an activity or a child belongs to, so that no late one disturbs another.

The first of two layers over durabletask's in-memory backend; `backend.py` is the second.
"""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, override
from uuid import uuid4

import grpc  # type: ignore[import-untyped]
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend, OrchestrationInstance

from local.host.journal import CommittingLock, Journal
from local.host.rows import FINISHED, Alarm, Found, Parent
from local.host.store import Store, StoreError
from local.host.timers import Timers

__all__ = ["FINISHED", "RunsBackend"]

_HISTORY_SIZE = 10_000_000


class RunsBackend(InMemoryOrchestrationBackend):
    """The in-memory backend with numbered runs, ids reused as the Durable Functions extension does, and a journal.

    Whatever one of its methods changes while it holds the lock is one transaction, written before it answers.
    """

    def __init__(
        self, store: Store, found: Found, *, default_version: str | None, on_lost: Callable[[StoreError], None]
    ) -> None:
        super().__init__(max_history_size=_HISTORY_SIZE, port=0)
        self._lock = CommittingLock(self._commit)  # type: ignore[assignment]
        self._journal = Journal(store, found, on_lost)
        self._default_version = default_version
        self._timers = Timers()
        self._instances = found.instances
        self._parents = found.parents
        self._runs = found.runs
        self._run_numbers = itertools.count(found.next_run())
        self._alarm_numbers = itertools.count(1 + max((alarm.number for alarm in found.alarms), default=0))
        self._delayed = {alarm.instance_id for alarm in found.alarms if alarm.task_id is None}

    def _commit(self) -> None:
        self._journal.write(self._instances, self._runs, self._parents)

    def _go_on(self, found: Found) -> None:
        """Do what was to be done when the store was left."""
        with self._lock:
            for instance in found.instances.values():
                instance.completion_token = self._next_completion_token
                self._next_completion_token += 1
                if instance.pending_events and instance.status not in FINISHED:
                    self._enqueue_orchestration(instance.instance_id)
        for alarm in found.alarms:
            self._timers.at(alarm.when, partial(self._ring, alarm))

    @override
    def stop(self, grace: float | None = None) -> None:
        self._timers.stop()
        super().stop(grace)

    def _new_run(self, instance_id: str) -> None:
        self._runs[instance_id] = next(self._run_numbers)
        self._journal.touched(instance_id)

    @override
    def _enqueue_orchestration(self, instance_id: str) -> None:
        """Have an instance told what waits for it; one that is to start later isn't, unless it is to end."""
        self._journal.touched(instance_id)
        waiting = self._instances[instance_id].pending_events
        if instance_id in self._delayed and not any(event.HasField("executionTerminated") for event in waiting):
            return
        super()._enqueue_orchestration(instance_id)

    def _arm(self, instance_id: str, when: datetime, task_id: int | None) -> None:
        alarm = Alarm(next(self._alarm_numbers), instance_id, self._runs[instance_id], when, task_id)
        self._journal.armed(alarm)
        self._timers.at(when, partial(self._ring, alarm))

    def _ring(self, alarm: Alarm) -> None:
        with self._lock:
            self._journal.rung(alarm)
            if not self._is_live(alarm.instance_id, alarm.run):
                return
            if alarm.task_id is None:
                self._delayed.discard(alarm.instance_id)
            else:
                event = helpers.new_timer_fired_event(alarm.task_id, alarm.when)
                self._instances[alarm.instance_id].pending_events.append(event)
            self._enqueue_orchestration(alarm.instance_id)

    def _is_live(self, instance_id: str, run: int) -> bool:
        instance = self._instances.get(instance_id)
        return instance is not None and self._runs.get(instance_id) == run and instance.status not in FINISHED

    @override
    def StartInstance(self, request: pb.CreateInstanceRequest, context: Any) -> pb.CreateInstanceResponse:
        """Start, replacing a finished run of the same id silently, as the Durable Functions extension does."""
        if not request.orchestrationIdReusePolicy.replaceableStatus:
            request.orchestrationIdReusePolicy.replaceableStatus.extend(FINISHED)
        if not request.HasField("version") and self._default_version:
            request.version.value = self._default_version
        with self._lock:
            response = super().StartInstance(request, context)
            self._new_run(response.instanceId)
            if request.HasField("scheduledStartTimestamp"):
                self._delay_start(response.instanceId, request.scheduledStartTimestamp.ToDatetime(UTC))
            return response

    def _delay_start(self, instance_id: str, when: datetime) -> None:
        if when <= datetime.now(UTC):
            return
        self._orchestration_queue.remove(instance_id)
        self._orchestration_queue_set.discard(instance_id)
        self._delayed.add(instance_id)
        self._arm(instance_id, when, None)

    @override
    def RaiseEvent(self, request: pb.RaiseEventRequest, context: Any) -> pb.RaiseEventResponse:
        with self._lock:
            # A suspended instance isn't told of it now: nothing else would say that it is different.
            self._journal.touched(request.instanceId)
            return super().RaiseEvent(request, context)

    @override
    def PurgeInstances(self, request: pb.PurgeInstancesRequest, context: Any) -> pb.PurgeInstancesResponse:
        with self._lock:
            before = list(self._instances)
            response = super().PurgeInstances(request, context)
            for instance_id in before if response.deletedInstanceCount else ():
                if instance_id not in self._instances:
                    self._journal.touched(instance_id)
            return response

    @override
    def _build_instance_response(
        self, instance: OrchestrationInstance, include_payloads: bool
    ) -> pb.GetInstanceResponse:
        # Whoever waited for a state is woken before that state is written; the lock is free after that.
        with self._lock:
            return super()._build_instance_response(instance, include_payloads)

    @override
    def _create_instance_internal(
        self, instance_id: str, name: str, encoded_input: str | None = None, version: str | None = None
    ) -> None:
        super()._create_instance_internal(instance_id, name, encoded_input, version or self._default_version)
        self._new_run(instance_id)

    @override
    def RestartInstance(self, request: pb.RestartInstanceRequest, context: Any) -> pb.RestartInstanceResponse:
        """Start again with the first input; a running instance only under a new id."""
        with self._lock:
            old = self._instances.get(request.instanceId)
            if old is None:
                context.abort(grpc.StatusCode.NOT_FOUND, f"No instance with id '{request.instanceId}' was found.")
                raise AssertionError
            if not request.restartWithNewInstanceId and old.status not in FINISHED:
                context.abort(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "A non-terminal instance with this instance ID already exists.",
                )
            new_id = uuid4().hex if request.restartWithNewInstanceId else request.instanceId
            self._create_instance_internal(new_id, old.name, old.input)
            return pb.RestartInstanceResponse(instanceId=new_id)

    @override
    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        super()._process_complete_orchestration_action(instance, complete_action)
        if complete_action.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
            self._new_run(instance.instance_id)
            self._name_parent(instance.instance_id)

    @override
    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        fire_at = action.createTimer.fireAt.ToDatetime(UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
        self._arm(instance.instance_id, fire_at, action.id)

    @override
    def _schedule_delayed_entity_operation(self, entity_id: str, event: pb.HistoryEvent, fire_at: datetime) -> None:
        def deliver() -> None:
            with self._lock:
                self._queue_entity_operation(entity_id, event)

        self._timers.at(fire_at, deliver)

    @override
    def _process_create_sub_orchestration_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        created = action.createSubOrchestration
        created.instanceId = created.instanceId or uuid4().hex
        super()._process_create_sub_orchestration_action(instance, action)

    @override
    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        self._journal.touched(sub_instance_id)
        self._parents[sub_instance_id] = Parent(parent_instance_id, task_id, self._runs[parent_instance_id])
        self._name_parent(sub_instance_id)

    def _name_parent(self, instance_id: str) -> None:
        """Write the parent into a run that hasn't begun; the stock backend leaves it out."""
        parent = self._parents.get(instance_id)
        for event in self._instances[instance_id].pending_events if parent else ():
            if parent and event.HasField("executionStarted"):
                info = event.executionStarted.parentInstance
                info.taskScheduledId = parent.task_id
                info.name.value = self._instances[parent.instance_id].name
                info.orchestrationInstance.instanceId = parent.instance_id

    @override
    def _notify_waiters(self, instance_id: str) -> None:
        super()._notify_waiters(instance_id)
        instance = self._instances.get(instance_id)
        if instance is not None and instance.status in FINISHED:
            self._delayed.discard(instance_id)
            self._tell_parent(instance)

    def _tell_parent(self, child: OrchestrationInstance) -> None:
        parent = self._parents.pop(child.instance_id, None)
        if parent is None or not self._is_live(parent.instance_id, parent.run):
            return
        if child.status == pb.ORCHESTRATION_STATUS_COMPLETED:
            event = helpers.new_sub_orchestration_completed_event(parent.task_id, child.output)
        else:
            event = helpers.new_sub_orchestration_failed_event(parent.task_id, Exception("terminated"))
            if child.failure_details is not None:
                event.subOrchestrationInstanceFailed.failureDetails.CopyFrom(child.failure_details)
        self._instances[parent.instance_id].pending_events.append(event)
        self._enqueue_orchestration(parent.instance_id)

    @override
    def _terminate_instance_internal(self, instance_id: str, output: str | None, recursive: bool = False) -> None:
        super()._terminate_instance_internal(instance_id, output)
        children = [child for child, parent in self._parents.items() if parent.instance_id == instance_id]
        for child in children if recursive else ():
            self._terminate_instance_internal(child, output, recursive=True)
