"""A company whose secret is also in a workflow, in app settings of sites and slots, and referred to by one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, override

import pytest

from local.azure.arm import ResourceManager
from local.azure.arm_access import Assignment
from local.azure.arm_logic import Workflows
from local.azure.arm_logic_state import Workflow
from local.azure.arm_web import Sites
from local.azure.arm_web_state import Site
from local.scenario import Scenario
from tests.core import company as companies
from tests.core.company import Company

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rekey-sim"
AT = f"{SUBSCRIPTION}/rekey-sim"
SCOPE = {"resources": [GROUP]}
FOREIGN_SCOPE = {"resources": [GROUP.replace("rekey-sim", "theirs"), f"{GROUP}/providers/Microsoft.Web/sites/theirs"]}


@dataclass(frozen=True)
class Hosting(Scenario):
    """The scenario with workflow `flow`, sites `shop` (slot `stage`) and `flows` (a Standard Logic App)."""

    @override
    def people_and_machines(self) -> dict[str, Any]:
        document = super().people_and_machines()
        document["identities"] |= {"shop": {}}
        document["vaults"][self.vault]["roles"]["shop"] = "Key Vault Secrets User"
        document["role_assignments"] = [
            {"identity": "rekey", "role": role, "scope": GROUP}
            for role in ("Logic App Contributor", "Website Contributor")
        ]
        password = {"password_of": self.application}
        settings = {"PASSWORD": password, "COLOUR": "r€d", "EMPTY": "", "Nested__Key:1": "x=y"}
        reference = f"@Microsoft.KeyVault(VaultName={self.vault};SecretName={self.secret})"
        document["workflows"] = {
            "flow": {
                "state": "Disabled",
                "definition": {"parameters": {"region": {"type": "String", "defaultValue": "eu"}}},
                "parameters": {"region": {"value": "us"}},
                "secrets": {"password": password},
                "tags": {"team": "shop"},
                "identity": {"type": "SystemAssigned"},
            }
        }
        document["sites"] = {
            "shop": {
                "identity": "shop",
                "settings": {**settings, "REFERENCE": reference},
                "sticky": ["REFERENCE"],
                "slots": {"stage": {"settings": settings, "identity": "shop"}},
            },
            "flows": {"kind": "functionapp,workflowapp", "settings": settings},
        }
        return document

    @override
    def managed_secret(self, client_id: str, azure_devops: str) -> dict[str, Any]:
        document = super().managed_secret(client_id, azure_devops)
        tags = document["vaults"][self.vault]["secrets"][self.secret]["tags"]
        for name in [name for name in tags if name.startswith("azureDevOps")]:
            del tags[name]
        return document

    @override
    def settings(self, description: dict[str, Any], identity: str, client_id: str, storage: str) -> dict[str, str]:
        found = super().settings(description, identity, client_id, storage)
        (scope,) = json.loads(found["REKEY_SCOPES"])
        return {**found, "REKEY_SCOPES": json.dumps([{**scope, **SCOPE}])}


@contextlib.asynccontextmanager
async def hosted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *consumers: str, storage: str = companies.NO_STORAGE
) -> AsyncIterator[Company]:
    """Run the company; its managed secret names these consumers."""
    scenario = Hosting(tags={f"rekey-consumer-{number}": uri for number, uri in enumerate(consumers, 1)})
    async with companies.company(folder, monkeypatch, scenario, storage) as running:
        for name in ("shop", "flows"):
            site(running, name).references()
        yield running


def arm(company: Company) -> ResourceManager:
    """Return the simulated Azure Resource Manager."""
    found = company.azure.cloud.services["arm"]
    assert isinstance(found, ResourceManager)
    return found


def workflow(company: Company, name: str = "flow") -> Workflow:
    """Return a workflow as the service keeps it."""
    found = arm(company).providers["Microsoft.Logic"]
    assert isinstance(found, Workflows)
    return found.named(name)


def site(company: Company, name: str = "shop") -> Site:
    """Return a site as App Service keeps it."""
    found = arm(company).providers["Microsoft.Web"]
    assert isinstance(found, Sites)
    return found.named(name)


def delete(company: Company, arm_id: str) -> None:
    """Delete a workflow or site."""
    provider = arm(company).providers[arm_id.split("/")[6]]
    held = provider.workflows if isinstance(provider, Workflows) else provider.sites  # type: ignore[attr-defined]
    del held[arm_id.lower()]


def no_role(company: Company) -> None:
    """Take every role away."""
    arm(company).access.assignments.clear()


def only_reader(company: Company) -> None:
    """Let the app's identity read everything and nothing more."""
    object_id = company.azure.cloud.directory.identity("rekey").object_id
    arm(company).access.assignments[:] = [Assignment(object_id, "Reader", GROUP)]


async def while_held(
    company: Company, update: Callable[[], Any], change: Callable[[], Any], method: str, path: str = "", skip: int = 0
) -> None:
    """Run an update, and a change by somebody else while one of its requests has been sent and isn't served yet."""
    faults = f"{company.azure.control}/_sim/faults"
    held = await company.fault("arm", method=method, path=path, skip=skip, hold=True)
    running = asyncio.ensure_future(update())
    while not running.done():
        known = (await company.azure.call("GET", faults)).body["faults"]
        if any(fault["id"] == held and fault["held"] for fault in known):
            break
        await asyncio.sleep(0.01)
    assert not running.done(), f"the update ended without the request {method} {path} that was to be held"
    change()
    await company.azure.call("POST", f"{faults}/{held}/release")
    await running
