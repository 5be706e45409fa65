"""The timers: what each starts, and that it starts it once."""

import importlib
from typing import Any

import azure.functions as func
import pytest
from msgspec.structs import replace

from rekey import names
from rekey.audit_settings import Audit
from rekey.settings import Scope
from tests.triggers.durable import FakeDurable, functions

pytestmark = pytest.mark.usefixtures("app_settings")

TIMERS = {f"{name}_timer": name for name in ("rotate_due", "reconcile", "purge_history", "deliver_notices")}


class Tick(func.TimerRequest):
    """A timer that fires on time."""

    past_due = False


def timers() -> dict[str, Any]:
    """Return every app's timers and those of one that rotates, by name."""
    parts = ("triggers.schedules", "triggers.rotation_schedules")
    return {name: f for part in parts for name, f in functions(importlib.import_module(part).blueprint).items()}


async def fire(timer: str, durable: FakeDurable) -> None:
    """Call a timer's function as the host does."""
    await timers()[timer].get_user_function().client_function(timer=Tick(), client=durable)


def test_each_thing_that_runs_by_itself_has_its_timer() -> None:
    """The host is told of one timer each, by the schedule that settings say."""
    told = {name: function.get_trigger().get_dict_repr()["schedule"] for name, function in timers().items()}
    assert told.keys() == TIMERS.keys() | {"watch_vault_access_timer", "audit_service_connections_timer"}
    assert told["rotate_due_timer"] == "0 0 1 * * *"


@pytest.mark.parametrize(("timer", "orchestrator"), TIMERS.items())
async def test_a_timer_starts_its_one_instance(timer: str, orchestrator: str, durable: FakeDurable) -> None:
    """The instance is named like the orchestrator."""
    await fire(timer, durable)
    assert durable.started == {orchestrator: None}
    assert durable.instances[orchestrator].name == orchestrator


@pytest.mark.parametrize(
    ("organizations", "started"), [({}, {}), ({"contoso": ("Shop",)}, {names.AUDIT_SERVICE_CONNECTIONS: None})]
)
async def test_connections_are_audited_where_settings_name_projects(
    organizations: dict[str, tuple[str, ...]],
    started: dict[str, None],
    durable: FakeDurable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever uses no Azure DevOps has no audit of it every night."""
    schedules = importlib.import_module("triggers.rotation_schedules")
    auditing = replace(schedules.settings(), scopes=(Scope(vaults=("kv-one",), organizations=organizations),))
    monkeypatch.setattr(schedules, "settings", lambda: auditing)
    await fire("audit_service_connections_timer", durable)
    assert durable.started == started


@pytest.mark.parametrize(
    ("storage", "started"), [("", {}), ("https://logs.blob.core.windows.net", {names.WATCH_VAULT_ACCESS: None})]
)
async def test_vaults_are_watched_where_settings_say_how(
    storage: str, started: dict[str, None], durable: FakeDurable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the place of an audit log nothing is started, every five minutes."""
    schedules = importlib.import_module("triggers.rotation_schedules")
    audit = Audit(storage=tuple(filter(None, [storage])))
    watching = replace(schedules.settings(), audit=audit)
    monkeypatch.setattr(schedules, "settings", lambda: watching)
    await fire("watch_vault_access_timer", durable)
    assert durable.started == started


async def test_what_is_still_at_it_is_not_started_again(durable: FakeDurable) -> None:
    """A sweep that takes longer than a day goes on alone."""
    durable.put(names.ROTATE_DUE, "RUNNING", name=names.ROTATE_DUE)
    await fire("rotate_due_timer", durable)
    assert durable.started == {}
