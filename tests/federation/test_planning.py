"""`POST /api/service-connections/plan`: what it says would be done, and that asking changes nothing anywhere."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.storage import Azurite
from rekey import names
from rekey.clients import clients
from rekey.settings import settings
from tests.core import company as companies
from tests.core.company import Company
from tests.federation.asking import FEDERATED, Asking
from tests.federation.trusted import SHOP, vends
from tests.triggers.asking import ask
from tests.triggers.durable import FakeDurable, functions
from triggers.federating_api import blueprint

READ_BY_POST = ("/oauth2/v2.0/token",)
"""What Azure offers as a POST only although it changes nothing: getting a token."""
NOTIFY = names.NOTIFY_OWNERS
CHECKS = [names.FIND_IDENTITY, names.CHECK_CONNECTION]
BEGINS = [names.READ_CONNECTION, names.OPEN_FEDERATION, *CHECKS]
IN_PLACE = [
    *(*BEGINS, NOTIFY, names.CONVERT_CONNECTION, names.TRUST_CONNECTION, names.PROVE_CONNECTION, NOTIFY, names.SOAK),
    *(names.PROVE_CONNECTION, names.RETIRE_SECRETS, NOTIFY, names.CLOSE_FEDERATION),
]


@pytest.fixture
async def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Asking]:
    """Run a company through the process's own clients, whose app converts in place and repairs."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
        await _app(monkeypatch, running)
        await clients().storage_ready()
        yield Asking(running, clients())
    settings.cache_clear()
    clients.cache_clear()


async def _app(monkeypatch: pytest.MonkeyPatch, running: Company, **environ: str) -> None:
    """Let the company's app have these settings; its clients are closed with the company."""
    await running.clients.aclose()
    for name, value in {"REKEY_FEDERATION": "repair,in-place", **environ}.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    clients.cache_clear()
    running.clients = clients()


async def planned(asking: Asking, durable: FakeDurable | None = None, **body: Any) -> Any:
    """Return the one plan that is answered."""
    scenario = asking.company.scenario
    asked = {"organization": scenario.organization, "project": scenario.project, "connection": scenario.connection}
    headers = {"X-MS-CLIENT-PRINCIPAL-NAME": "ada@contoso.example"}
    durable = durable or FakeDurable()
    status, answer = await ask(blueprint, "plan_federation", {**asked, **body}, durable=durable, headers=headers)
    assert (status, answer["matching"], answer["left_out"]) == (200, 1, 0), answer
    (plan,) = answer["plans"]
    return plan


def steps(plan: Any) -> list[str]:
    """Return the names of its steps in order."""
    return [step["step"] for step in plan["steps"]]


def test_the_host_is_told_of_the_route() -> None:
    """One method on one route, and none without a key."""
    trigger = functions(blueprint)["plan_federation"].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == (["POST"], "service-connections/plan")
    assert trigger["authLevel"].name == "FUNCTION"


async def test_a_conversion_is_planned_and_nothing_is_changed(asking: Asking) -> None:
    """Steps, the gap, the dates, who uses it, what becomes of its secret; every service is as it was."""
    company, scenario = asking.company, asking.company.scenario
    await asking.seed(pipelines={"nightly": {"uses": [{"endpoint": scenario.connection}], "author": scenario.owner}})
    asking.permit("nightly")
    before, durable = company.state(), FakeDurable()
    plan = await planned(asking, durable)
    assert (plan["verdict"], plan["missing"], plan["running"]) == ("federates", [], False)
    assert steps(plan) == IN_PLACE
    assert (plan["signs_in_by"], plan["issuer"], plan["gap"]["possible"]) == ("secret", "", True)
    assert "seconds" in plan["gap"]["why"]
    assert [(one["name"], one["owner"]) for one in plan["pipelines"]] == [("nightly", scenario.owner)]
    assert list(plan["managed"]) == [f"{scenario.vault}/{scenario.secret}"]
    assert "stops rotating" in plan["managed"][f"{scenario.vault}/{scenario.secret}"]
    revertible, soaked = (datetime.fromisoformat(plan[name]) for name in ("revert_until", "soak_until"))
    assert abs(revertible - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=5)
    assert soaked < revertible
    rights = {right["name"] for step in plan["steps"] for right in step["permissions"]}
    assert {"Service connection: Administrator", "Application.ReadWrite.OwnedBy"} <= rights
    touched = {(t["id"], t["change"]) for step in plan["steps"] for t in step["touches"]}
    assert (asking.endpoint().id, "signs in by workload identity federation") in touched
    assert (scenario.owner, "gets the notice converted") in touched
    assert company.application.object_id in {target for target, _ in touched}
    assert company.state() == before
    asked = (await company.azure.call("GET", f"{company.azure.control}/_sim/requests")).body["requests"]
    written = [r for r in asked if r["method"] != "GET" and not r["path"].endswith(READ_BY_POST)]
    assert [(r["method"], r["path"]) for r in written if r["service"] != "control"] == []
    assert durable.started == {}
    assert [blob.name async for blob in clients().container().list_blobs()] == []


async def test_what_is_known_before_leaves_no_gap(asking: Asking) -> None:
    """A connection that shows issuer and subject already is trusted before it is converted."""
    parameters = asking.endpoint().document["authorization"]["parameters"]
    parameters["workloadIdentityFederationIssuer"] = "https://login.microsoftonline.com/t/v2.0"
    parameters["workloadIdentityFederationSubject"] = "sc"
    plan = await planned(asking, soak="P1D")
    assert (plan["gap"]["possible"], plan["subject"]) == (False, "sc")
    order = steps(plan)
    assert order.index(names.TRUST_CONNECTION) < order.index(names.CONVERT_CONNECTION)
    assert abs(datetime.fromisoformat(plan["soak_until"]) - datetime.now(UTC) - timedelta(days=1)) < timedelta(
        minutes=5
    )


async def test_everything_that_stops_it_is_told(asking: Asking) -> None:
    """Not the first problem alone, each with what to do; who uses it is told all the same."""
    company, scenario = asking.company, asking.company.scenario
    await asking.seed(
        rights=["use", "view-builds"], pipelines={"nightly": {"uses": [{"endpoint": scenario.connection}]}}
    )
    company.application.owners.clear()
    asking.permit("nightly")
    plan = await planned(asking)
    assert plan["verdict"] == "stops"
    assert {missing["step"] for missing in plan["missing"]} == {names.FIND_IDENTITY, names.CHECK_CONNECTION}
    assert all(missing["what_to_do"] for missing in plan["missing"])
    assert [one["name"] for one in plan["pipelines"]] == ["nightly"]
    assert steps(plan) == IN_PLACE
    unknown = await planned(asking, connection="nowhere")
    assert (unknown["verdict"], unknown["steps"], unknown["missing"][0]["code"]) == ("stops", [], "no-connection")


async def test_what_needs_no_secret_is_not_planned(asking: Asking) -> None:
    """There is nothing to do, and why; a repair of it is two steps, and what is on its way is said to be."""
    await asking.connection("done", scheme=FEDERATED)
    plan = await planned(asking, connection="done")
    assert (plan["verdict"], plan["steps"]) == ("nothing-to-do", [])
    assert "federated already" in plan["why"]
    durable = FakeDurable()
    durable.put(plan["instance"])
    repair = await planned(asking, durable, connection="done", mode="repair")
    made = [names.TRUST_CONNECTION, names.PROVE_CONNECTION]
    assert steps(repair) == [*BEGINS, NOTIFY, *made, NOTIFY, names.CLOSE_FEDERATION]
    assert (repair["running"], repair["soak_until"], repair["revert_until"]) == (True, None, None)


async def test_a_replacement_is_planned_by_the_other_app(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one stays until nothing runs through it; what grants roles waits for an approval."""
    await _app(monkeypatch, asking.company, **vends(), REKEY_FEDERATION="side-by-side")
    await asking.seed(rights=["administer", "create", "view-builds"])
    plan = await planned(asking, mode="side-by-side")
    assert (plan["verdict"], plan["gap"]["possible"], plan["needs_approval"]) == ("federates", False, False)
    assert plan["new_name"] == f"{asking.company.scenario.connection}-federated"
    order = steps(plan)
    assert [step for step in order if step not in IN_PLACE] == [
        names.CREATE_CONNECTION,
        names.COPY_ACCESS,
        names.LOOK_AT_RUNS,
        names.RETIRE_CONNECTION,
    ]
    identity = f"{SHOP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/deployer"
    granting = await planned(asking, mode="side-by-side", target="managed-identity", identity=identity)
    assert (granting["verdict"], granting["missing"][0]["code"]) == ("stops", "out-of-scope")
