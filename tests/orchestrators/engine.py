"""A durable engine with a clock of its own: the SDK's worker replays the real orchestrators, days pass in no time.

Activities are scripted. Each episode replays the whole history, as the service does, so that code which decides
differently the second time fails in every test.
"""

import base64
import heapq
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.durable_functions.worker import DurableFunctionsWorker
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb

BEGIN = datetime(2030, 1, 5, 12, tzinfo=UTC)
FAILED = pb.ORCHESTRATION_STATUS_FAILED
CONTINUED = pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
MOST_EPISODES = 5_000


class Died(Exception):  # noqa: N818 - what happened to the activity
    """A scripted activity that throws instead of returning an outcome."""


type Activity = Callable[[Any, datetime], Any]
"""Payload and time in, outcome out (JSON types); Died is thrown."""


@dataclass
class Instance:
    """One orchestration: its history, and the episodes that made it; `before` has those of earlier executions."""

    id: str
    name: str
    parent: tuple[str, int] | None = None
    history: list[pb.HistoryEvent] = field(default_factory=list)
    before: list[list[pb.HistoryEvent]] = field(default_factory=list)
    episodes: list[tuple[bytes, bytes]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    output: Any = None
    failure: str = ""
    ended: datetime | None = None

    @property
    def failed(self) -> bool:
        """Tell whether it ended as Failed."""
        return bool(self.failure)


@dataclass(frozen=True)
class Call:
    """One activity that was asked for."""

    at: datetime
    name: str
    payload: Any
    outcome: Any

    @property
    def what(self) -> str:
        """The step, and which notice it was."""
        notice = self.payload.get("notice") if isinstance(self.payload, dict) else None
        kept = " kept" if notice and self.payload.get("keep") else ""
        return f"{self.name} {notice['kind']}{kept}" if notice else self.name


class Engine:
    """Runs orchestrations until nothing is left to happen."""

    def __init__(self, orchestrators: Mapping[str, Any], activity: Callable[[str], Activity]) -> None:
        self._orchestrators = orchestrators
        self._activity = activity
        self._numbers = itertools.count()
        self._queue: list[tuple[datetime, int, str, pb.HistoryEvent]] = []
        self.now = BEGIN
        self.calls: list[Call] = []
        self.instances: dict[str, Instance] = {}
        self.version = ""
        """What instances are started with, children too, as by host.json's defaultVersion; empty: they have none."""

    def run(self, name: str, instance_id: str, given: Any) -> Instance:
        """Start an orchestration and return it when it has ended."""
        instance = self._start(name, instance_id, json.dumps(given), None)
        for _ in range(MOST_EPISODES):
            if not self._queue:
                return instance
            at, _number, receiver, event = heapq.heappop(self._queue)
            self.now = self._reached(at)
            self._episode(self.instances[receiver], event)
        raise AssertionError(f"{name} goes on for ever: {[call.what for call in self.calls[-20:]]}")

    def raise_event(self, instance_id: str, name: str, after: timedelta) -> None:
        """Raise an external event for an instance that is going to be there then."""
        self._post(instance_id, helpers.new_event_raised_event(name, "null"), BEGIN + after)

    def _reached(self, at: datetime) -> datetime:
        """Return what time it is once it is `at`."""
        return at

    def _start(self, name: str, instance_id: str, encoded: str, parent: tuple[str, int] | None) -> Instance:
        instance = self.instances[instance_id] = Instance(instance_id, name, parent)
        self._begin(instance, encoded)
        return instance

    def _begin(self, instance: Instance, encoded: str) -> None:
        event = helpers.new_execution_started_event(instance.name, instance.id, encoded)
        if self.version:
            event.executionStarted.version.value = self.version
        self._post(instance.id, event)

    def _post(self, instance_id: str, event: pb.HistoryEvent, at: datetime | None = None) -> None:
        heapq.heappush(self._queue, (at or self.now, next(self._numbers), instance_id, event))

    def _episode(self, instance: Instance, event: pb.HistoryEvent) -> None:
        if instance.ended:
            return
        new = [helpers.new_orchestrator_started_event(self.now.replace(tzinfo=None)), event]
        request = pb.OrchestratorRequest(instanceId=instance.id, pastEvents=instance.history, newEvents=new)
        response = replay(self._orchestrators[instance.name], request.SerializeToString())
        instance.episodes.append((request.SerializeToString(), response.SerializeToString()))
        instance.history += new
        if response.HasField("customStatus") and response.customStatus.value not in {"", "null"}:
            self._show(instance, json.loads(response.customStatus.value))
        for action in response.actions:
            self._act(instance, action)

    def _show(self, instance: Instance, status: dict[str, Any]) -> None:
        if not instance.statuses or instance.statuses[-1] != status:
            instance.statuses.append(status)

    def _act(self, instance: Instance, action: pb.OrchestratorAction) -> None:
        kind = action.WhichOneof("orchestratorActionType")
        if kind == "scheduleTask":
            self._call(instance, action.id, action.scheduleTask.name, action.scheduleTask.input.value)
        elif kind == "createTimer":
            fire_at = action.createTimer.fireAt.ToDatetime()
            instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
            self._post(instance.id, helpers.new_timer_fired_event(action.id, fire_at), fire_at.replace(tzinfo=UTC))
        elif kind == "createSubOrchestration":
            wanted = action.createSubOrchestration
            child = wanted.instanceId or f"{instance.id}:{action.id}"
            created = helpers.new_sub_orchestration_created_event(action.id, wanted.name, child, wanted.input.value)
            instance.history.append(created)
            self._start(wanted.name, child, wanted.input.value, (instance.id, action.id))
        elif kind == "completeOrchestration" and action.completeOrchestration.orchestrationStatus == CONTINUED:
            instance.before.append(instance.history)
            instance.history = []
            self._begin(instance, action.completeOrchestration.result.value)
        elif kind == "completeOrchestration":
            self._end(instance, action.completeOrchestration)
        else:
            raise AssertionError(f"the engine can't {kind}")

    def _call(self, instance: Instance, task: int, name: str, encoded: str) -> None:
        instance.history.append(helpers.new_task_scheduled_event(task, name, encoded))
        payload = json.loads(encoded)
        try:
            outcome = self._activity(name)(payload, self.now)
        except Died as death:
            outcome = None
            event = helpers.new_task_failed_event(task, death)
        else:
            event = helpers.new_task_completed_event(task, json.dumps(outcome))
        self.calls.append(Call(self.now, name, payload, outcome))
        self._post(instance.id, event, self.now + timedelta(milliseconds=100))

    def _end(self, instance: Instance, ended: pb.CompleteOrchestrationAction) -> None:
        instance.ended = self.now
        if ended.orchestrationStatus == FAILED:
            instance.failure = f"{ended.failureDetails.errorType}: {ended.failureDetails.errorMessage}"
        instance.output = json.loads(ended.result.value) if ended.HasField("result") and ended.result.value else None
        if instance.parent:
            parent, task = instance.parent
            if instance.failed:
                event = helpers.new_sub_orchestration_failed_event(task, Died(instance.failure))
            else:
                event = helpers.new_sub_orchestration_completed_event(task, ended.result.value)
            self._post(parent, event)


def replay(orchestrator: Any, request: bytes) -> pb.OrchestratorResponse:
    """Give the worker one request, as the host does, and return its answer."""
    answer = DurableFunctionsWorker().execute_orchestration_request(orchestrator, base64.b64encode(request).decode())
    response: pb.OrchestratorResponse = pb.OrchestratorResponse.FromString(base64.b64decode(answer))
    return response
