"""Starts the local host on the sample app and talks to it."""

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from local.leaks import descendants
from local.processes import Process, wait_until

SAMPLE = Path(__file__).parent / "sample_app"
DURABLE = "/runtime/webhooks/durabletask"


class RunningHost:
    """The host of a copy of the sample app in `folder`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], port: int | None = 0) -> None:
        self.folder = folder
        self._notes = folder / "notes"
        self._notes.touch()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCAL_HOST_")}
        env = {**inherited, "SAMPLE_NOTES": str(self._notes), **environment}
        asked = [] if port is None else ["--port", str(port)]
        command = [sys.executable, "-m", "local.host", "start", *asked]
        self.process = Process(command, cwd=folder / "app", env=env, log=folder / "host.log")
        shutil.copytree(SAMPLE, folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
        self.http = httpx.Client(trust_env=False, timeout=30)

    @property
    def faults(self) -> Path:
        """Where the kill file of this host is, if it has one."""
        return self.folder / "faults.json"

    def start(self) -> Self:
        """Start and wait until it listens."""
        before = len(self._addresses())
        self.process.start().wait_for(lambda: len(self._addresses()) > before, "the host listens")
        self.http.base_url = httpx.URL(self._addresses()[-1])
        return self

    def _addresses(self) -> list[str]:
        return re.findall(r"Host listening on (http://127\.0\.0\.1:\d+)\n", self.process.output())

    def kill(self) -> None:
        """SIGKILL the host and everything that it started, all at once."""
        for pid in (self.process.pid, *descendants({self.process.pid})):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Stop, and close the client."""
        self.http.close()
        self.process.stop()

    @property
    def worker_pid(self) -> int | None:
        """The pid that /admin/host/status tells."""
        pid: int | None = self.http.get("/admin/host/status").json()["workerPid"]
        return pid

    def begin(self, name: str, given: Any = None, instance_id: str = "") -> str:
        """Start an orchestration over the management API; its id."""
        path = f"{DURABLE}/orchestrators/{name}/{instance_id}".rstrip("/")
        response = self.http.post(path, content=json.dumps(given) if given is not None else b"")
        assert response.status_code == 202, response.text
        started: str = response.json()["id"]
        return started

    def status(self, instance_id: str) -> dict[str, Any]:
        """Return the status payload."""
        payload: dict[str, Any] = self.http.get(f"{DURABLE}/instances/{instance_id}").json()
        return payload

    def wait_status(self, instance_id: str, wanted: str = "Completed") -> dict[str, Any]:
        """Wait until an instance has this runtime status; its status payload."""
        what = f"{instance_id} is {wanted}"
        self.process.wait_for(lambda: self.status(instance_id)["runtimeStatus"] == wanted, what)
        return self.status(instance_id)

    def notes(self, kind: str) -> list[dict[str, Any]]:
        """Return what functions of the sample app noted."""
        lines = [json.loads(line) for line in self._notes.read_text().splitlines()]
        return [line for line in lines if line["kind"] == kind]

    def wait_notes(self, kind: str, count: int, /, **content: Any) -> list[dict[str, Any]]:
        """Wait until there are `count` notes of a kind with this content."""

        def matching() -> list[dict[str, Any]]:
            return [note for note in self.notes(kind) if note.items() >= content.items()]

        self.process.wait_for(lambda: len(matching()) >= count, f"{count} notes {kind} {content}")
        return matching()


def exists(pid: int) -> bool:
    """Whether a process is there (and not a zombie)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_gone(pid: int) -> None:
    """Wait until a process is gone."""
    wait_until(lambda: not exists(pid), f"process {pid} is gone", timeout=20)
