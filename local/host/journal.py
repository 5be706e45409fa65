"""Which changes of the engine's memory aren't on disk yet, and when they get there: before anybody is told of them."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import OrchestrationInstance

from local.host.rows import FINISHED, Activity, Alarm, Found, Parent, activity_row, alarm_row, instance_row
from local.host.store import Statement, Store, StoreError

_REMOVAL = (
    "DELETE FROM instances WHERE id = ?",
    "DELETE FROM history WHERE instance = ?",
    "DELETE FROM waiting WHERE instance = ?",
    "DELETE FROM activities WHERE instance = ?",
    "DELETE FROM alarms WHERE instance = ?",
)


class CommittingLock:
    """A re-entrant lock that calls `commit` before it is let go, so that what is done under it is one transaction.

    An error of `commit` reaches whoever held the lock: nobody gets an answer that rests on what isn't on disk.
    """

    def __init__(self, commit: Callable[[], None]) -> None:
        self._lock = threading.RLock()
        self._commit = commit
        self._depth = 0

    def __enter__(self) -> bool:
        self._lock.acquire()
        self._depth += 1
        return True

    def __exit__(self, *_: object) -> None:
        try:
            if self._depth == 1:
                self._commit()
        finally:
            self._depth -= 1
            self._lock.release()


@dataclass
class _Written:
    """What of an instance's events is on disk: so many of this list, and what waits, by row number.

    Events are told apart by identity, which holds as long as they are kept here.
    """

    run: int
    history: list[pb.HistoryEvent]
    length: int = 0
    waiting: dict[int, pb.HistoryEvent] = field(default_factory=dict)

    def forget_waiting(self, now: set[int]) -> list[int]:
        """Drop what doesn't wait any more; its row numbers."""
        gone = [number for number, event in self.waiting.items() if id(event) not in now]
        for number in gone:
            del self.waiting[number]
        return gone


class Journal:
    """Collects changes and writes them. After a failed write all fail: memory is ahead of the disk then."""

    def __init__(self, store: Store, found: Found, on_lost: Callable[[StoreError], None]) -> None:
        self._store = store
        self._on_lost = on_lost
        self._lost: StoreError | None = None
        self._touched: dict[str, None] = {}
        self._statements: list[Statement] = []
        self._written = {
            name: _Written(found.runs[name], instance.history, len(instance.history), dict(found.waiting[name]))
            for name, instance in found.instances.items()
        }
        self._numbers = itertools.count(1 + max((n for rows in found.waiting.values() for n in rows), default=0))

    def touched(self, instance_id: str) -> None:
        """Say that an instance is different, new or gone."""
        self._touched[instance_id] = None

    def scheduled(self, activity: Activity) -> None:
        """Say that an activity is to be done."""
        self._statements.append(activity_row(activity))

    def settled(self, activity: Activity) -> None:
        """Say that an activity's result was taken, or isn't wanted any more."""
        self._statements.append(("DELETE FROM activities WHERE token = ?", (activity.item.completion_token,)))

    def armed(self, alarm: Alarm) -> None:
        """Say that something is due later."""
        self._statements.append(alarm_row(alarm))

    def rung(self, alarm: Alarm) -> None:
        """Say that something fell due."""
        self._statements.append(("DELETE FROM alarms WHERE number = ?", (alarm.number,)))

    def write(
        self, instances: Mapping[str, OrchestrationInstance], runs: Mapping[str, int], parents: Mapping[str, Parent]
    ) -> None:
        """Write everything that was said since the last time, in one transaction; StoreError."""
        if self._lost is not None:
            raise self._lost
        if not self._touched and not self._statements:
            return
        for name in self._touched:
            instance = instances.get(name)
            changes = self._saved(instance, runs[name], parents.get(name)) if instance else self._removed(name)
            self._statements.extend(changes)
        try:
            self._store.write(self._statements)
        except StoreError as error:
            self._lost = error
            self._on_lost(error)
            raise
        self._touched.clear()
        self._statements.clear()

    def _removed(self, name: str) -> Iterator[Statement]:
        self._written.pop(name, None)
        for removal in _REMOVAL:
            yield removal, (name,)

    def _saved(self, instance: OrchestrationInstance, run: int, parent: Parent | None) -> Iterator[Statement]:
        name = instance.instance_id
        yield instance_row(instance, run, parent)
        written = self._written.get(name)
        if written is None or written.run != run or written.history is not instance.history:
            # Another run, or a history that was rewritten.
            self._written[name] = written = _Written(run, instance.history)
            yield "DELETE FROM history WHERE instance = ?", (name,)
            yield "DELETE FROM waiting WHERE instance = ?", (name,)
            yield "DELETE FROM alarms WHERE instance = ? AND run <> ?", (name, run)
        for position in range(written.length, len(instance.history)):
            event = instance.history[position].SerializeToString()
            yield "INSERT INTO history VALUES (?, ?, ?)", (name, position, event)
        written.length = len(instance.history)
        yield from self._waiting(instance, written)
        if instance.status in FINISHED:
            yield "DELETE FROM alarms WHERE instance = ?", (name,)

    def _waiting(self, instance: OrchestrationInstance, written: _Written) -> Iterator[Statement]:
        events = [*instance.dispatched_events, *instance.pending_events]
        for number in written.forget_waiting({id(event) for event in events}):
            yield "DELETE FROM waiting WHERE number = ?", (number,)
        known = {id(event) for event in written.waiting.values()}
        if instance.history and len(events) > 1 and events[0].HasField("orchestratorStarted"):
            # A dispatch puts that in front of what it delivers; the next one does so again.
            known.add(id(events[0]))
        for event in events:
            if id(event) not in known:
                written.waiting[number := next(self._numbers)] = event
                row = (number, instance.instance_id, event.SerializeToString())
                yield "INSERT INTO waiting VALUES (?, ?, ?)", row
