"""Follows one walk from outside, as it happens: its custom status over HTTP, its evidence record in blob storage.

A step's time runs from the end of the one before it to its own entry in the record, so that all of them, the waits
included, add up to the whole.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ContainerClient

from local.demo.runbook import Evidence, Runbook
from local.stack import Stack
from rekey import names
from rekey.records import Entry

PATIENCE = 90.0
"""Seconds until a walk that should take ten is given up."""
_PAUSE = 0.05
_ENDED = frozenset({"Completed", "Failed", "Terminated"})


class Step(msgspec.Struct, frozen=True):
    """A step that is over; `outcome` as in the evidence, `seconds` with all repetitions, `ended` in UTC.

    `entry` is what the record says of it, if it is in there.
    """

    step: str
    outcome: str
    seconds: float
    detail: str
    ended: datetime
    entry: Entry | None = None


@dataclass(frozen=True)
class Doing:
    """What the walk is at: for somebody who waits."""

    step: str
    note: str = ""


@dataclass(frozen=True)
class Ended:
    """The end; `result` is the orchestration's output: `done`, or what went wrong."""

    status: str
    result: str


class _Custom(msgspec.Struct, frozen=True):
    """The custom status, as `orchestrators/progress.py` writes it."""

    step: str
    state: str
    since: datetime
    next: datetime | None = None
    rotation_id: str = ""
    federation_id: str = ""


class _Instance(msgspec.Struct, frozen=True, rename="camel"):
    runtime_status: str
    custom_status: _Custom | None = None
    output: Any = None


class Follower[E: Evidence]:
    """Watches one walk; `walk_id` is empty until there is one."""

    def __init__(self, stack: Stack, runbook: Runbook[E]) -> None:
        self._stack, self._runbook = stack, runbook
        self._container = ContainerClient.from_connection_string(stack.storage.connection_string, names.CONTAINER)
        self._told = 0
        self._mark: datetime | None = None
        self._first_seen: dict[str, _Custom] = {}
        self.walk_id = ""
        self.record: E | None = None

    @property
    def path(self) -> str:
        """The path of the instance's status on the host."""
        return f"/runtime/webhooks/durabletask/instances/{self._runbook.instance}?showInput=false"

    def happenings(self) -> Iterator[Step | Doing | Ended]:
        """Yield what happens until the walk has ended; TimeoutError if it doesn't in time."""
        deadline = time.monotonic() + PATIENCE
        with self._container:
            while time.monotonic() < deadline:
                instance = self._instance()
                over = instance is not None and instance.runtime_status in _ENDED
                yield from self._news(instance, over=over)
                if instance is not None and over:
                    yield Ended(instance.runtime_status, _result(instance.output))
                    return
                time.sleep(_PAUSE)
        raise TimeoutError(f"{self._runbook.instance} did not end within {PATIENCE:g} s")

    def _instance(self) -> _Instance | None:
        status, body = self._stack.get(self.path)
        if status == 404:
            return None
        instance = msgspec.convert(body, _Instance)
        if custom := instance.custom_status:
            self.walk_id = custom.rotation_id or custom.federation_id
            self._first_seen.setdefault(custom.step, custom)
        return instance

    def _news(self, instance: _Instance | None, *, over: bool) -> Iterator[Step | Doing]:
        self.record = self._read()
        entries = self.record.entries if self.record else ()
        # A step that is being repeated is one entry that grows until another one follows it.
        growing = bool(entries) and entries[-1].outcome != "ok" and not over
        if self.record is not None:
            for entry in entries[self._told : len(entries) - growing]:
                yield from self._steps(self.record, entry)
            self._told = len(entries) - growing
        if instance is not None and (custom := instance.custom_status) and not over:
            again = f"{entries[-1].code.replace('-', ' ')}, tried {entries[-1].times} times" if growing else ""
            yield Doing(custom.step, again or _left(custom.next))

    def _steps(self, record: E, entry: Entry) -> Iterator[Step]:
        runbook = self._runbook
        if self._mark is None:
            yield self._until(runbook.opens[0], runbook.began(record), self._reading_ended(entry), record.opened)
        wait = runbook.waits.get(entry.step, "")
        if (seen := self._first_seen.get(wait)) and seen.since <= entry.at:
            del self._first_seen[wait]
            yield self._until(wait, runbook.waited(record), seen.next or entry.at)
        step = self._until(entry.step, runbook.told(record, entry), entry.at, outcome=entry.outcome)
        yield msgspec.structs.replace(step, entry=entry)

    def _reading_ended(self, entry: Entry) -> datetime:
        seen = self._first_seen.get(self._runbook.opens[1])
        return seen.since if seen else entry.at

    def _until(
        self, step: str, detail: str, ended: datetime, began: datetime | None = None, outcome: str = "ok"
    ) -> Step:
        began = began or self._mark or ended
        self._mark = ended
        return Step(step, outcome, round(max(0.0, (ended - began).total_seconds()), 2), detail, ended)

    def _read(self) -> E | None:
        if not self.walk_id:
            return None
        try:
            blob = self._container.download_blob(self._runbook.blob(self.walk_id)).readall()
        except ResourceNotFoundError:
            return None
        return self._runbook.read(blob)


def _left(until: datetime | None) -> str:
    return f"{max(0.0, (until - datetime.now(UTC)).total_seconds()):.0f} s left" if until else ""


def _result(output: Any) -> str:
    return str(output.get("result", output)) if isinstance(output, dict) else str(output or "")
