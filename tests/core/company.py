"""Runs the company of local/scenario.py in a test: simulated Azure, the app's settings, the product's own clients."""

import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp.connector
import msgspec
import pytest

from activities.read_policy import read
from activities.step import Desk
from local.azure.directory import Application
from local.scenario import Scenario
from rekey import names, vault
from rekey.clients import Clients
from rekey.model import Question, Reason, Rotation, RotationRequest
from rekey.settings import Settings
from rekey.settings import read as read_settings
from tests.azure.simulated import Simulated, simulated

ROTATION = "11111111-1111-4111-8111-111111111111"
NO_STORAGE = "UseDevelopmentStorage=true"


@dataclass
class Company:
    """One company in a simulated Azure of its own; nothing waits: writes are seen everywhere at once."""

    azure: Simulated
    scenario: Scenario
    environ: dict[str, str]
    clients: Clients

    @property
    def settings(self) -> Settings:
        """The app's settings."""
        return self.clients.settings

    @property
    def desk(self) -> Desk:
        """What a step works with."""
        return Desk(self.clients)

    @property
    def application(self) -> Application:
        """The application whose password is rotated, as the directory knows it."""
        return self.azure.cloud.directory.application(self.scenario.application)

    def state(self) -> bytes:
        """Return all that the simulated services hold, byte for byte; who read what is left out."""
        state = {name: service.state() for name, service in self.azure.cloud.services.items()}
        for held in state["keyvault"]["vaults"].values():
            for secret in held["secrets"].values():
                for version in secret["versions"]:
                    del version["reads"]
        return msgspec.json.encode(state, order="sorted")

    async def rotation(self, rotation_id: str = ROTATION, reason: Reason = Reason.MANUAL) -> Rotation:
        """Return the rotation that the product makes of the managed secret."""
        request = RotationRequest(vault=self.scenario.vault, secret=self.scenario.secret, reason=reason)
        question = Question(request=request, rotation_id=rotation_id, started=datetime.now(UTC))
        found = (await read(self.desk, question)).rotation
        assert found is not None
        return found

    async def fault(self, service: str, **fields: Any) -> str:
        """Arm a fault and return its id."""
        body = {"service": service, **fields}
        answer = await self.azure.call("POST", f"{self.azure.control}/_sim/faults", body=body)
        assert answer.status == 200, answer.body
        return str(answer.body["id"])

    async def requests(self, service: str) -> list[tuple[str, str]]:
        """Return method and path of the requests that service got."""
        answer = await self.azure.call("GET", f"{self.azure.control}/_sim/requests")
        return [(r["method"], r["path"]) for r in answer.body["requests"] if r["service"] == service]

    def delay(self, seconds: float) -> None:
        """Let new passwords and keys be refused for that long."""
        for service in ("entra", "storage-account"):
            self.azure.cloud.switches.set({"service": service, "propagation": {"seconds": seconds}})

    def settle(self, seconds: float) -> None:
        """Let that time pass in the simulated Azure."""
        self.azure.cloud.clock.advance(timedelta(seconds=seconds))

    def new_password(self) -> str:
        """Give the application one more password, made just now, and return its value."""
        now = self.azure.cloud.clock.now()
        end = now + timedelta(days=180)
        return self.azure.cloud.directory.add_password(self.application, "rekey/test", now, end).value

    async def clear_faults(self) -> None:
        """Disarm every fault; nothing waits again."""
        await self.azure.call("DELETE", f"{self.azure.control}/_sim/faults")
        self.hurry()

    def hurry(self) -> None:
        """Let writes be seen everywhere at once."""
        self.delay(0)
        self.azure.cloud.switches.set({"service": "graph", "propagation": {"seconds": 0, "conflict_seconds": 0}})


@contextlib.asynccontextmanager
async def company(
    folder: Path, monkeypatch: pytest.MonkeyPatch, scenario: Scenario | None = None, storage: str = NO_STORAGE
) -> AsyncIterator[Company]:
    """Run a company; the environment names its certificate and managed identity while it runs."""
    scenario = scenario or Scenario()
    monkeypatch.setattr(vault, "PURGE_PAUSES", (0.0, 0.2, 0.2, 0.5, 1.0))
    monkeypatch.setattr(names, "CONTAINER", f"t{uuid4().hex}")
    async with simulated(folder, monkeypatch) as azure:
        description = json.loads((folder / "azure.json").read_text())
        told = await azure.seed(scenario.people_and_machines())
        client_id = told["applications"][scenario.application]["client_id"]
        await azure.seed(scenario.managed_secret(client_id, description["urls"]["azuredevops"]))
        environ = scenario.settings(description, told["identities"]["rekey"]["client_id"], client_id, storage)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        # aiohttp makes its context once, when it is imported.
        context = ssl.create_default_context(cafile=description["ca"])
        monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)
        running = Company(azure, scenario, environ, Clients(read_settings(environ)))
        running.hurry()
        try:
            yield running
        finally:
            await running.clients.aclose()
