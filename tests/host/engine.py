"""The engine without processes: its store fails at a chosen transaction, and a worker in this thread does its work."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.worker import TaskHubGrpcWorker
from google.protobuf import wrappers_pb2  # type: ignore[import-untyped]

from local.host.backend import LocalBackend
from local.host.direct_calls import DirectCall
from local.host.rows import FINISHED
from local.host.store import Statement, Store, StoreError
from local.processes import wait_until

# A worker logs what it can't report, with a traceback: here that is what is tried.
_SILENT = logging.getLogger(__name__)
_SILENT.disabled = True


class FailingStore(Store):
    """A store whose host is lost at its `fatal`-th transaction (from 1; 0: never): before it is written, or after."""

    def __init__(self, path: Path, fatal: int = 0, *, written: bool = False) -> None:
        super().__init__(path)
        self.transactions = 0
        self._fatal = fatal
        self._written = written

    def write(self, statements: Iterable[Statement]) -> None:
        self.transactions += 1
        if self.transactions != self._fatal:
            super().write(statements)
            return
        if self._written:
            super().write(statements)
        raise StoreError("the host is lost here")


class _Stream:
    """A worker's stream that ends when there is nothing to do, as seen by the engine."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        self.is_active = busy

    def add_callback(self, _: Any) -> None:
        """Be lost never: the whole engine is."""


class Engine:
    """One life of an engine on a file; `lost` once its store has failed."""

    def __init__(self, store: Store, *functions: Any, longest_timer: float | None = None) -> None:
        self.store = store
        self.lost = threading.Event()
        self.backend = LocalBackend(
            store,
            lease_seconds=300,
            default_version=None,
            on_lost=lambda _: self.lost.set(),
            longest_timer=longest_timer,
        )
        self._worker = TaskHubGrpcWorker(logger=_SILENT)
        orchestrators, activities = functions
        deque(map(self._worker.add_orchestrator, orchestrators), maxlen=0)
        deque(map(self._worker.add_activity, activities), maxlen=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.backend._timers.stop()
        self.store.close()

    def start(self, name: str, instance_id: str) -> None:
        """Start an instance unless it is there: somebody may have been told nothing of a start that was written."""
        if instance_id not in self.backend._instances:
            self.backend.StartInstance(pb.CreateInstanceRequest(instanceId=instance_id, name=name), DirectCall())

    def event(self, instance_id: str, name: str, told: str) -> None:
        """Raise an event."""
        given = wrappers_pb2.StringValue(value=told)
        self.backend.RaiseEvent(pb.RaiseEventRequest(instanceId=instance_id, name=name, input=given), DirectCall())

    def finish(self) -> None:
        """Work until every instance has ended; StoreError if the store fails first."""
        while not self._all_ended():
            wait_until(lambda: self._busy() or self.lost.is_set(), "there is something to do", timeout=20)
            self._work()
            if self.lost.is_set():
                raise StoreError("the store failed")

    def _all_ended(self) -> bool:
        return all(instance.status in FINISHED for instance in self.backend._instances.values())

    def _busy(self) -> bool:
        engine = self.backend
        return bool(engine._orchestration_queue or engine._activity_queue or engine._leases._live)

    def _work(self) -> None:
        stream = _Stream(lambda: self._busy() and not self.lost.is_set())
        for item in self.backend.GetWorkItems(pb.GetWorkItemsRequest(), stream):
            if item.HasField("orchestratorRequest"):
                self._worker._execute_orchestrator(item.orchestratorRequest, self, item.completionToken)
            else:
                self._worker._execute_activity(item.activityRequest, self, item.completionToken)

    def CompleteOrchestratorTask(self, done: pb.OrchestratorResponse) -> pb.CompleteTaskResponse:  # noqa: N802 (gRPC)
        """Take what the worker reports."""
        return self.backend.CompleteOrchestratorTask(done, DirectCall())

    def CompleteActivityTask(self, done: pb.ActivityResponse) -> pb.CompleteTaskResponse:  # noqa: N802 (gRPC)
        """Take what the worker reports."""
        return self.backend.CompleteActivityTask(done, DirectCall())
