"""Everything Rekey needs, running on this machine: Azurite, the simulated Azure, the host with the app in it."""

import http.client
import json
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.azure.control import Control
from local.processes import Process, free_port
from local.scenario import QUEUE, Scenario
from local.storage import Azurite, start_azurite

ROOT = Path(__file__).resolve().parent.parent
CALLER = "X-MS-CLIENT-PRINCIPAL-NAME"
"""The header in which App Service says who signed in."""
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
"""What the app sees of the caller's environment: none of its settings or proxies."""


@dataclass
class Stack:
    """One running company. Use it as a context manager; `folder` gets logs, storage and the simulated CA."""

    folder: Path
    scenario: Scenario = field(default_factory=Scenario)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the app's: host switches, log level."""
    host_port: int = 0
    storage_by_azure: bool = False
    """Whether the app reaches its storage account through the simulated Azure, which counts and breaks requests."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.storage: Azurite = stack.enter_context(start_azurite(self.folder / "azurite"))
            self.azure = stack.enter_context(self._azure())
            self.azure.wait_output("simulated Azure ready")
            self.control = Control.of(self.folder / "azure")
            self._seed()
            self.host_port = self.host_port or free_port()
            self.host = stack.enter_context(self._host())
            self.host.wait_output("Host listening")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def settings(self) -> dict[str, str]:
        """The app's settings."""
        return self.scenario.settings(
            self.control.description, self.identity, self.client_id, self.apps_connection_string
        )

    @property
    def apps_connection_string(self) -> str:
        """How the app reaches its storage account."""
        instead = self.control.description["storage"]
        direct = {"blob": self.storage.blob_endpoint, "queue": self.storage.queue_endpoint}
        connection_string = self.storage.connection_string
        for service, endpoint in direct.items():
            connection_string = connection_string.replace(endpoint, instead.get(service, endpoint))
        return connection_string

    @property
    def host_url(self) -> str:
        """Where the host listens."""
        return f"http://127.0.0.1:{self.host_port}"

    def store_secret(self, *, raise_event: bool = True) -> dict[str, Any]:
        """Put the managed secret into its vault, near its expiry; Key Vault's event follows, twice, as it may."""
        if raise_event:
            self.control.seed({"events": {"connection_string": self.storage.connection_string, "queue": QUEUE}})
        document = self.scenario.managed_secret(self.client_id, self.control.description["urls"]["azuredevops"])
        return self.control.seed(document)

    def get(self, path: str) -> tuple[int, Any]:
        """GET from the host; the body is parsed where it is JSON."""
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None, *, caller: str = "") -> tuple[int, Any]:
        """Send one request to the host; `caller` is who signed in."""
        connection = http.client.HTTPConnection("127.0.0.1", self.host_port, timeout=30)
        try:
            sent = json.dumps(body) if body is not None else None
            headers = {"Content-Type": "application/json"} if sent else {}
            connection.request(method, path, sent, headers | ({CALLER: caller} if caller else {}))
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text

    def _seed(self) -> None:
        self.control.seed(self.scenario.log(self.storage.connection_string))
        told = self.control.seed(self.scenario.people_and_machines())
        self.identity: str = told["identities"]["rekey"]["client_id"]
        self.client_id: str = told["applications"][self.scenario.application]["client_id"]

    def _azure(self) -> Process:
        command: list[str | Path] = [sys.executable, "-m", "local.azure", "--state-dir", self.folder / "azure"]
        if self.storage_by_azure:
            command += ["--blob", self.storage.blob_endpoint, "--queue", self.storage.queue_endpoint]
        return Process(command, log=self.folder / "azure.log", cwd=ROOT)

    def _host(self) -> Process:
        env = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LOCAL_HOST_DATA": str(self.folder / "host")}
        env |= {**own, **self.settings, **self.environment}
        command = [sys.executable, "-m", "local.host", "start", "--port", str(self.host_port)]
        return Process(command, log=self.folder / "host.log", cwd=ROOT, env=env)
