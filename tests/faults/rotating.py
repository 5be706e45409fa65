"""Drives one rotation of a running company: starts it, waits for it, holds requests, kills and pauses the app."""

import json
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from local.onlooker import USER_AGENT
from local.processes import wait_until
from local.scenario import QUEUE, Scenario
from local.stack import Stack
from rekey import names
from tests.faults.watching import Watch

DURABLE = "/runtime/webhooks/durabletask"
ENDED = frozenset({"Completed", "Failed", "Terminated"})
NO_LAG = {"LOCAL_HOST_LONGEST_TIMER": "2"}
"""For companies whose services lag behind nothing: what is waited for because they might lag has come at once."""
IN_TIME = {"LOCAL_HOST_LONGEST_TIMER": ""}
"""For rotations whose services begin to lag later: waits are as long as in Azure."""
ACTIVITIES = (
    names.READ_POLICY,
    names.OPEN_RECORD,
    names.PREFLIGHT,
    names.NOTIFY_OWNERS,
    names.GENERATE_CREDENTIAL,
    names.VERIFY_CREDENTIAL,
    names.SET_SECRET_VERSION,
    names.DISABLE_OLD_VERSION,
    names.UPDATE_CONSUMER,
    names.CONFIRM_CONSUMER,
    names.CHECK_OLD_CREDENTIAL_USE,
    names.RETIRE_OLD_CREDENTIAL,
    names.CLOSE_RECORD,
)
"""Every activity of a rotation that nothing but a kill disturbs."""


@dataclass(frozen=True)
class Hit:
    """One place of `LOCAL_HOST_KILL_FILE`; with `until` a pause that ends when that path exists."""

    activity: str
    at: str
    occurrence: int = 1
    until: Path | None = None

    def told(self) -> dict[str, Any]:
        """Return the entry of the kill file."""
        fields = {"activity": self.activity, "at": self.at, "occurrence": self.occurrence}
        return {**fields, "until": str(self.until)} if self.until else fields


class Hold:
    """Requests that the simulated Azure withholds until they are let go."""

    def __init__(self, stack: Stack, service: str, **where: Any) -> None:
        self._control = stack.control
        self.id = stack.control.fault(service, hold=True, **where)

    def wait(self) -> None:
        """Wait until a request is withheld."""
        wait_until(self.holds, f"a request is held: {self._told()}", timeout=90)

    def holds(self) -> bool:
        """Tell whether a request is withheld now."""
        return bool(self._told()["held"])

    def release(self) -> None:
        """Let go what is withheld; what comes later passes."""
        self._control.release(self.id)

    def _told(self) -> dict[str, Any]:
        return next(fault for fault in self._control.faults() if fault["id"] == self.id)


class Rotating:
    """A running company whose secret is about to be rotated, watched from its first moment to its last.

    `quick`: its services lag behind nothing, and no durable timer waits for them; `environment` may say otherwise.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scenario: Scenario | None = None,
        hits: Iterable[Hit] = (),
        environment: Mapping[str, str] | None = None,
        quick: bool = True,
        storage_by_azure: bool = False,
    ) -> None:
        self.hits = folder / "hits.json"
        self.hits.write_text(json.dumps([hit.told() for hit in hits]))
        switches = {"LOCAL_HOST_KILL_FILE": str(self.hits), **(NO_LAG if quick else {}), **(environment or {})}
        self.stack = Stack(folder, scenario or Scenario(grace="PT1S"), switches, storage_by_azure=storage_by_azure)
        self.quick = quick

    def __enter__(self) -> Self:
        self.stack.__enter__()
        self.control = self.stack.control
        self.scenario = self.stack.scenario
        self.instance = names.instance_id(self.scenario.vault, self.scenario.secret)
        if self.quick:
            self.control.propagation("entra", seconds=0)
            self.control.propagation("graph", seconds=0, conflict_seconds=0)
        self.watch = Watch(self.stack)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watch.stop()
        self.stack.__exit__(kind, error, trace)

    def begin(self, *, watched: bool = True) -> Self:
        """Store the secret near its expiry, so that Key Vault's event starts the rotation."""
        self.stack.store_secret()
        self.before = self.control.state()
        if watched:
            self.watch.start()
        return self

    def status(self) -> dict[str, Any]:
        """Return the instance's status; an empty one before there is an instance."""
        status, body = self.stack.get(f"{DURABLE}/instances/{self.instance}?showInput=false")
        return body if status in {200, 202} and isinstance(body, dict) else {}

    def wait_status(self, state: str, *, timeout: float = 180) -> dict[str, Any]:
        """Wait until the custom status has this state; returns the custom status."""
        self.stack.host.wait_for(
            lambda: (self.status().get("customStatus") or {}).get("state") == state,
            f"state {state}: {self.status()}",
            timeout=timeout,
        )
        found: dict[str, Any] = self.status()["customStatus"]
        return found

    def wait_end(self, *, timeout: float = 180) -> dict[str, Any]:
        """Wait until the rotation has ended somehow; returns the instance's status."""
        self.stack.host.wait_for(
            lambda: self.status().get("runtimeStatus") in ENDED, "the rotation has ended", timeout=timeout
        )
        self.watch.stop()
        return self.status()

    def wait_step(self, step: str, *, times: int = 1, **fields: str) -> None:
        """Wait until the app's log has so many outcomes of that step with these fields, such as `code`."""

        def found() -> int:
            lines = [line for line in self.stack.host.output().splitlines() if f'"step":"{step}"' in line]
            return sum(all(f'"{name}":"{value}"' in line for name, value in fields.items()) for line in lines)

        self.stack.host.wait_for(lambda: found() >= times, f"{times} outcomes of {step}, {fields}", timeout=90)

    def hold(self, service: str, **where: Any) -> Hold:
        """Withhold requests that match; see local/azure/README.md for the fields."""
        return Hold(self.stack, service, **where)

    def requests(self, service: str, method: str, path: str) -> list[dict[str, Any]]:
        """Return the app's requests to a service whose path has that part, oldest first."""
        asked = [r for r in self.control.requests() if r["user_agent"] != USER_AGENT and path in r["path"]]
        return [r for r in asked if (r["service"], r["method"]) == (service, method)]

    def kill_worker(self) -> None:
        """SIGKILL the app's process, whichever that is now."""
        self.kill(self._worker_pid())

    def kill(self, pid: int) -> None:
        """SIGKILL that process of the app."""
        os.kill(pid, signal.SIGKILL)

    def stop_worker(self) -> int:
        """SIGSTOP the app's process, which takes work and does nothing with it; returns its pid."""
        pid = self._worker_pid()
        os.kill(pid, signal.SIGSTOP)
        return pid

    def wait_dequeued(self) -> None:
        """Wait until the host has taken a message out of the event queue, which is not deleted yet."""
        with QueueClient.from_connection_string(self.stack.storage.connection_string, QUEUE) as queue:

            def hidden() -> bool:
                try:
                    there = queue.get_queue_properties().approximate_message_count or 0
                    return there > len(queue.peek_messages(max_messages=32))
                except ResourceNotFoundError:  # the first event makes the queue
                    return False

            wait_until(hidden, "a message is being processed", timeout=60)

    def rotations(self) -> list[str]:
        """Return the ids of the rotations the engine knows of."""
        _, found = self.stack.get(f"{DURABLE}/instances?showInput=false&top=100")
        return [i["instanceId"] for i in found if i["name"] == names.ROTATE_SECRET]

    def _worker_pid(self) -> int:
        def ready() -> bool:
            return bool(self.stack.get("/admin/host/status")[1]["workerPid"])

        wait_until(ready, "the app's process is there")
        pid: int = self.stack.get("/admin/host/status")[1]["workerPid"]
        return pid

    def hits_left(self) -> list[dict[str, Any]]:
        """Return what was to go wrong and hasn't yet."""
        left: list[dict[str, Any]] = json.loads(self.hits.read_text())
        return left
