"""How fast a nightly sweep is below the services' limits, as the simulated services saw it: their 429s, their times.

Real: the orchestrator rotate_due and its steps on real timers, the steps of every rotation in several processes with
the real SDK clients over TLS, the limiters of the simulated Key Vault and Graph. Left out: the durable engine's own
work, which two cores can't do at seven rotations a second, consumers, mails and evidence, which these limits don't
count. Limits are scaled to what this machine can do; the product is given the same ones.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.azure.control import Control
from local.processes import Process
from local.scenario import Scenario
from local.stack import INHERITED, ROOT
from local.storage import start_azurite
from rekey.nightly_settings import GRAPH_WRITES, LIMITS, VAULT_CREATES, Limit

VAULT = "kv-sweep"
VAULTS = 3
SECRETS = 1_000
SCALED = {VAULT_CREATES: Limit(188, 10), GRAPH_WRITES: Limit(1250, 100)}
"""Five eighths of the services' rates, Graph's in a shorter window than its 150 s: 2,000 writes take at least 160 s."""

SERVICES = {VAULT_CREATES: "keyvault", GRAPH_WRITES: "graph"}


@dataclass(frozen=True)
class Seen:
    """What the simulated services saw: refusals by service, and when which counted write came, by limit and place."""

    throttled: Mapping[str, int]
    writes: Mapping[tuple[str, str], list[datetime]]

    def minimum(self, limits: Mapping[str, Limit]) -> float:
        """Return the least seconds that the limits allow for these writes."""
        return max(len(at) * limits[key[0]].seconds / limits[key[0]].count for key, at in self.writes.items())

    def seconds(self) -> float:
        """Return the seconds from the first to the last of these writes."""
        every = [moment for at in self.writes.values() for moment in at]
        return (max(every) - min(every)).total_seconds()


def figures() -> dict[str, Any]:
    """Return the figures of a sweep of a thousand secrets in three vaults."""
    seen = swept(SECRETS, SCALED)
    minimum = seen.minimum(SCALED)
    return {
        "sweep_429": sum(seen.throttled.values()),
        "sweep_429_by_service": dict(seen.throttled),
        "sweep_limit_ratio": round(seen.seconds() / minimum, 3),
        "sweep_seconds": round(seen.seconds(), 1),
        "sweep_minimum_seconds": round(minimum, 1),
        "sweep_writes": {" ".join(key).strip(): len(at) for key, at in sorted(seen.writes.items())},
    }


def swept(secrets: int, limits: Mapping[str, Limit], *arguments: str) -> Seen:
    """Run one sweep over that many secrets that are due, to the end of every rotation, and return what was seen."""
    with tempfile.TemporaryDirectory() as name, _running(Path(name), limits) as (control, storage):
        environment = _seeded(control, storage, secrets, limits)
        command = [sys.executable, "-m", "tests.bench.sweep_app", f"{VAULT}-0", "deploy-0", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the sweep failed: {done.returncode}")
        started = json.loads(done.stdout.splitlines()[-1])["output"]["counts"]["started"]
        seen = _seen(control.requests())
    if not started == secrets == len(seen.writes[GRAPH_WRITES, ""]) / 2:
        raise RuntimeError(f"{started} of {secrets} were started, with {len(seen.writes[GRAPH_WRITES, ''])} writes")
    return seen


@contextmanager
def _running(folder: Path, limits: Mapping[str, Limit]) -> Iterator[tuple[Control, str]]:
    command: list[str | Path] = [sys.executable, "-m", "local.azure", "--state-dir", folder / "azure"]
    with (
        start_azurite(folder / "azurite") as storage,
        Process(command, log=folder / "azure.log", cwd=ROOT) as azure,
    ):
        azure.wait_output("simulated Azure ready")
        control = Control.of(folder / "azure")
        for name, limit in limits.items():
            control.limits(SERVICES[name], limit.count / LIMITS[name].count, limit.seconds)
        control.propagation("entra", seconds=0)
        control.propagation("graph", seconds=0, conflict_seconds=0)
        yield control, storage.connection_string


def _seeded(control: Control, storage: str, secrets: int, limits: Mapping[str, Limit]) -> dict[str, str]:
    """Seed what is due, as earlier rotations left it, and return the app's environment."""
    scenario = Scenario(vault=VAULT)
    told = control.seed(scenario.people_and_machines())
    clients = [str(uuid4()) for _ in range(secrets)]
    rotations = [str(uuid4()) for _ in range(secrets)]
    control.seed(
        {
            "applications": {
                f"app-{n}": _application(c, r) for n, (c, r) in enumerate(zip(clients, rotations, strict=True))
            }
        }
    )
    applications = control.state()["entra"]["applications"]
    vaults: dict[str, Any] = {
        f"{VAULT}-{n}": {"roles": {"rekey": "Key Vault Secrets Officer"}, "secrets": {}} for n in range(VAULTS)
    }
    for n, (client, rotation) in enumerate(zip(clients, rotations, strict=True)):
        key = applications[f"app-{n}"]["passwords"][0]["key_id"]
        vaults[f"{VAULT}-{n % VAULTS}"]["secrets"][f"deploy-{n}"] = _secret(n, client, rotation, key)
    control.seed({"vaults": vaults})
    given = scenario.settings(control.description, told["identities"]["rekey"]["client_id"], clients[0], storage)
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | given
    environment["REKEY_SCOPES"] = json.dumps([{"vaults": list(vaults), "applications": clients}])
    environment["REKEY_LIMITS"] = json.dumps(
        {name: {"count": limit.count, "seconds": limit.seconds} for name, limit in limits.items()}
    )
    return environment | {"PYTHONPATH": str(ROOT)}


def _application(client_id: str, rotation: str) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "owners": ["rekey"],
        "passwords": [{"display_name": f"rekey/local/{rotation}", "days": 20}],
    }


def _secret(number: int, client_id: str, rotation: str, key_id: str) -> dict[str, Any]:
    tags = {"azureADAppId": client_id, "rekey-grace": "PT0S", "rekey-rotation-id": rotation, "rekey-key-id": key_id}
    return {
        "value": {"password_of": f"app-{number}"},
        "expires_with_password": True,
        "age_days": 160,
        "tags": {**tags, "rekey-owners": "owner@contoso.example"},
    }


def _seen(requests: list[dict[str, Any]]) -> Seen:
    writes: dict[tuple[str, str], list[datetime]] = {}
    for request in requests:
        key = _counted(request)
        if key and request["status"] < 300:
            writes.setdefault(key, []).append(datetime.fromisoformat(request["at"]))
    return Seen(Counter(request["service"] for request in requests if request["status"] == 429), writes)


def _counted(request: dict[str, Any]) -> tuple[str, str] | None:
    """Return which limit a request counts against, and where."""
    if request["service"] == "keyvault" and request["method"] == "PUT":
        return VAULT_CREATES, request["host"].partition(".")[0]
    if request["service"] == "graph" and request["method"] == "POST":
        return GRAPH_WRITES, ""
    return None
