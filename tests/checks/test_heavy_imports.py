"""What starting the function app costs and brings along, by what it is there for."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rekey import names

ROOT = Path(__file__).parents[2]
HEAVY = (
    "msgraph",
    "azure.mgmt",
    "azure.storage",
    "azure.communication",
    "azure.keyvault",
    "azure.identity",
    "jinja2",
)
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
VENDING = {
    "roles": [],
    "scopes": [],
    "identities": f"{SUBSCRIPTION}/resourceGroups/connections",
    "location": "westeurope",
}
DUTIES = {"rotation": {}, "vending": {"REKEY_VENDING": json.dumps(VENDING), "REKEY_FEDERATION": "side-by-side,vend"}}
LOADED = f"""
import json, sys, function_app
functions = sorted(found.get_function_name() for found in function_app.app.get_functions())
print(json.dumps([functions, [name for name in {HEAVY} if name in sys.modules]]))
"""

IN_EVERY_APP = {
    *(names.DELIVER_NOTICES, names.PURGE_HISTORY, names.NOTIFY_OWNERS, names.DELIVER_MAIL),
    *(names.RECONCILE, names.LIST_PLACES, names.FIND_STUCK_ROTATIONS, names.SUM_UP_NIGHT, "reconcile_timer"),
    *(names.FEDERATE_SERVICE_CONNECTION, names.RETIRE_SECRETS),
    *(names.READ_CONNECTION, names.TRUST_CONNECTION, names.PROVE_CONNECTION, names.REVERT_CONNECTION),
    *("plan_federation", "post_federation", "list_federations", "show_federation", "post_federation_decision"),
}
ROTATES = {
    *(names.ROTATE_SECRET, names.GENERATE_CREDENTIAL, names.RETIRE_OLD_CREDENTIAL),
    *(names.ROTATE_DUE, names.AUDIT_SERVICE_CONNECTIONS, names.CONVERT_CONNECTION, "key_vault_events"),
}
VENDS = {
    *(names.CHECK_VENDING, names.CREATE_IDENTITY, names.CREATE_CONNECTION, names.COPY_ROLES, names.GRANT_ROLE),
    *(names.COPY_ACCESS, names.LOOK_AT_RUNS, names.RETIRE_CONNECTION, names.START_VENDING),
    names.VEND_SERVICE_CONNECTION,
}


@functools.cache
def loaded(duty: str) -> tuple[set[str], list[str]]:
    """Return the functions of an app with that duty, and which heavy modules its start brought along."""
    values = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        env={**os.environ, **values, "REKEY_DUTY": duty, **DUTIES[duty]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    found: Any = json.loads(done.stdout)
    return {name.removesuffix("_step") for name in found[0]}, found[1]


@pytest.mark.parametrize("duty", DUTIES)
def test_the_function_app_loads_no_sdk(duty: str) -> None:
    """SDKs and templates are imported by the activity that needs them, never by the app's start."""
    assert loaded(duty)[1] == []


def test_an_app_that_rotates_has_no_part_that_makes_connections_or_grants_roles() -> None:
    """What would take rights over role assignments isn't there to be started."""
    functions, _ = loaded("rotation")
    assert functions >= IN_EVERY_APP | ROTATES
    assert not functions & VENDS


def test_an_app_that_vends_has_no_part_that_rotates() -> None:
    """No rotation, no conversion, no event of a vault, no timer that looks into vaults."""
    functions, _ = loaded("vending")
    assert functions >= IN_EVERY_APP | VENDS
    assert not functions & ROTATES
    named = {
        name for name in functions if {"vault", "secret", "secrets", "rotation", "rotations"} & set(name.split("_"))
    }
    assert named <= {names.RETIRE_SECRETS, names.FIND_STUCK_ROTATIONS}
