"""One secret with copies in places of every kind, while answers get lost: each ends with exactly the new value."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.judge import judge
from local.kinds.app_setting import AppSetting
from local.kinds.azdo_pipeline import Pipeline
from local.kinds.azdo_variable_group import VariableGroup
from local.kinds.key_vault_reference import KeyVaultReference
from local.kinds.logic_app import LogicApp
from local.processes import wait_until
from local.scenario import Scenario
from local.stack import Stack
from local.storage_scenario import StorageScenario
from rekey import names

LOST: list[tuple[str, dict[str, Any]]] = [
    ("arm", {"method": "POST", "path": "listKeys", "status": 503}),
    ("arm", {"method": "PUT", "path": "workflows", "status": 503, "when": "after"}),
    ("arm", {"method": "PUT", "path": "appsettings", "status": 503, "when": "after"}),
    ("arm", {"method": "POST", "path": "refresh", "status": 500}),
    ("azuredevops", {"method": "PUT", "path": "variablegroups", "status": 503, "when": "after"}),
    ("azuredevops", {"method": "POST", "path": "runs", "reset": "answer", "when": "after"}),
]
"""Requests that fail once, most of them after they were done."""


@pytest.mark.demos
@pytest.mark.parametrize("company", [Scenario, StorageScenario])
def test_every_place_gets_the_value_and_none_keeps_it_elsewhere(company: type[Scenario], tmp_path: Path) -> None:
    """A password and a key reach settings, workflows, groups and a run, once each, and no log at DEBUG has them."""
    scenario = company(grace="PT1S")
    place = (scenario.organization, scenario.project)
    copies = (AppSetting(), LogicApp(), VariableGroup(*place), Pipeline(*place, scenario.connection))
    reads = (KeyVaultReference(),) if company is StorageScenario else ()
    with Stack(tmp_path, replace(scenario, others=(*copies, *reads)), {"LOCAL_HOST_LOG_LEVEL": "Debug"}) as stack:
        for service, fault in LOST:
            stack.control.fault(service, **fault)
        stack.store_secret()
        before = stack.control.state()
        assert _ended(stack)["output"]["result"] == "done"
        unmet = {"listKeys", "refresh"} if company is Scenario else set()
        assert {f["path"] for f in stack.control.faults() if not f["hits"]} == unmet
        assert [check for check in judge(stack, before) if not check.ok] == []


def _ended(stack: Stack) -> dict[str, Any]:
    """Wait for the end of the rotation and return its status."""
    instance = names.instance_id(stack.scenario.vault, stack.scenario.secret)
    path = f"/runtime/webhooks/durabletask/instances/{instance}?showInput=false"

    def over() -> bool:
        status, body = stack.get(path)
        return status != 404 and body["runtimeStatus"] in {"Completed", "Failed", "Terminated"}

    wait_until(over, "the rotation has ended", timeout=120)
    found: dict[str, Any] = stack.get(path)[1]
    return found
