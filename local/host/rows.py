"""How the engine's objects look as rows of its store, in both directions."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import ActivityWorkItem, OrchestrationInstance
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from local.host.store import Statement, Store, StoreError

FINISHED = (
    pb.ORCHESTRATION_STATUS_COMPLETED,
    pb.ORCHESTRATION_STATUS_FAILED,
    pb.ORCHESTRATION_STATUS_TERMINATED,
)


@dataclass(frozen=True)
class Parent:
    """Who waits for a child: which run of which instance, under which task id."""

    instance_id: str
    task_id: int
    run: int


@dataclass(frozen=True)
class Activity:
    """A scheduled activity; `run` tells a replaced or continued run's late result from a wanted one."""

    item: ActivityWorkItem
    run: int


@dataclass(frozen=True)
class Alarm:
    """Something that is due to a run at `when` (aware): its timer `task_id`, or, if that is None, its delayed start."""

    number: int
    instance_id: str
    run: int
    when: datetime
    task_id: int | None


@dataclass
class Found:
    """Everything that was in a store. `waiting` has what an instance hasn't been told yet, by row number."""

    instances: dict[str, OrchestrationInstance] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    parents: dict[str, Parent] = field(default_factory=dict)
    waiting: defaultdict[str, dict[int, pb.HistoryEvent]] = field(default_factory=lambda: defaultdict(dict))
    activities: list[Activity] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def next_run(self) -> int:
        """Return a run number that nothing here belongs to."""
        used = [*self.runs.values(), *(parent.run for parent in self.parents.values())]
        return 1 + max([*used, *(a.run for a in self.activities), *(a.run for a in self.alarms)], default=0)

    def told(self) -> str:
        """Return one sentence about what goes on, empty if nothing does."""
        running = sum(instance.status not in FINISHED for instance in self.instances.values())
        if not running:
            return ""
        timers = _count(len(self.alarms), "timer") + " armed"
        return f"{_count(running, 'instance')} running, {_count(len(self.activities), 'activity')} to do, {timers}"


def _count(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else what.removesuffix('y') + 'ies' if what.endswith('y') else what + 's'}"


def instance_row(instance: OrchestrationInstance, run: int, parent: Parent | None) -> Statement:
    """Insert or replace an instance, without its events."""
    failure = instance.failure_details
    values = (
        instance.instance_id,
        run,
        instance.name,
        instance.version,
        instance.status,
        instance.input,
        instance.output,
        instance.custom_status,
        failure.SerializeToString() if failure is not None else None,
        json.dumps(instance.tags) if instance.tags is not None else None,
        instance.created_at.isoformat(),
        instance.last_updated_at.isoformat(),
        instance.completed_at.isoformat() if instance.completed_at else None,
        *((parent.instance_id, parent.task_id, parent.run) if parent else (None, None, None)),
    )
    return "INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values


def activity_row(activity: Activity) -> Statement:
    """Insert a scheduled activity."""
    item = activity.item
    values = (item.completion_token, item.instance_id, activity.run, item.name, item.task_id, item.input, item.version)
    return "INSERT INTO activities VALUES (?, ?, ?, ?, ?, ?, ?)", values


def alarm_row(alarm: Alarm) -> Statement:
    """Insert a timer or a delayed start."""
    values = (alarm.number, alarm.instance_id, alarm.run, alarm.when.isoformat(), alarm.task_id)
    return "INSERT INTO alarms VALUES (?, ?, ?, ?, ?)", values


def read(store: Store) -> Found:
    """Return everything in the store, each kind in the order in which it came; StoreError if a part can't be read."""
    found = Found()
    try:
        for row in store.rows("SELECT * FROM instances ORDER BY created, run"):
            _add_instance(found, row)
        for instance, event in store.rows("SELECT instance, event FROM history ORDER BY instance, position"):
            found.instances[instance].history.append(pb.HistoryEvent.FromString(event))
        for number, instance, event in store.rows("SELECT number, instance, event FROM waiting ORDER BY number"):
            found.waiting[instance][number] = pb.HistoryEvent.FromString(event)
        for token, instance, run, name, task, given, version in store.rows("SELECT * FROM activities ORDER BY token"):
            found.activities.append(Activity(ActivityWorkItem(instance, name, task, given, token, version), run))
        for number, instance, run, due, task in store.rows("SELECT * FROM alarms ORDER BY number"):
            found.alarms.append(Alarm(number, instance, run, datetime.fromisoformat(due), task))
    except (LookupError, ValueError, DecodeError) as error:
        raise StoreError(f"{store.path} is damaged ({error}); move it away to begin with no instances") from error
    for instance, events in found.waiting.items():
        found.instances[instance].pending_events.extend(events.values())
    return found


def _add_instance(found: Found, row: tuple[Any, ...]) -> None:
    name, run, orchestrator, version, status, given, output, custom, failure, tags, *times, above, task, above_run = row
    created, updated, *ended = (datetime.fromisoformat(time) for time in times if time)
    found.runs[name] = run
    found.instances[name] = OrchestrationInstance(
        instance_id=name,
        name=orchestrator,
        status=status,
        version=version,
        input=given,
        output=output,
        custom_status=custom,
        created_at=created,
        last_updated_at=updated,
        completed_at=ended[0] if ended else None,
        failure_details=pb.TaskFailureDetails.FromString(failure) if failure is not None else None,
        tags=json.loads(tags) if tags is not None else None,
    )
    if above is not None:
        found.parents[name] = Parent(above, task, above_run)
