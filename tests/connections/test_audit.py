"""An audit of connections in the simulated Azure DevOps and Entra: what is read, reported, compared and told."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from activities.audit_project import audit
from activities.list_projects import find
from activities.step import Desk
from local.azure.azuredevops_pipelines_state import Run
from rekey import azure_devops_connections
from rekey.blobs import names_under
from rekey.clients import Clients
from rekey.connections import turn
from rekey.connections.found import Way
from rekey.connections.report import Report
from rekey.connections.reports import CONNECTIONS, FINDINGS
from rekey.connections.telling import notice
from rekey.errors import NotYetError, PermanentError
from rekey.model.connections import OfProject, ProjectRead, Unseen
from rekey.settings import Scope
from tests.connections.auditing import Audited

WIF = "WorkloadIdentityFederation"


def elsewhere() -> dict[str, Any]:
    """Return what makes a connection one to another tenant, whose applications nobody here can look at."""
    parameters = {"tenantid": str(uuid4()), "serviceprincipalid": str(uuid4())}
    return {"authorization": {"scheme": WIF, "parameters": parameters}}


async def test_every_way_to_sign_in_is_told(audited: Audited) -> None:
    """Federated, fitting or not, by secret, certificate, managed identity, publish profile; gone, unused, managed."""
    scenario = audited.company.scenario
    await audited.company.azure.seed(
        {"identities": {"deployer": {}}, "applications": {"lone": {"passwords": [{"days": 90}]}}}
    )
    await audited.connections(
        fits={"scheme": WIF},
        drifted={"scheme": WIF, "federated_credential": "other"},
        cased={"scheme": WIF, "federated_credential": "wrong-case"},
        older={"scheme": WIF, "issuer": "azure-devops", "executions": [{"days_ago": 3}], "age_days": 400},
        mine={"identity": "deployer", "scheme": WIF, "issuer": "azure-devops"},
        gone={"client_id": str(uuid4()), "scheme": WIF},
        secret={"application": "lone", "age_days": 200, "executions": [{"days_ago": 150}, {"days_ago": 120}]},
        certificate={"certificate": True},
        agents={"scheme": "ManagedServiceIdentity"},
        profile={"scheme": "PublishProfile"},
        registry={"type": "dockerregistry"},
        foreign={"client_id": str(uuid4()), "scheme": WIF, "extra": elsewhere()},
    )
    told = await audited.night()
    assert await audited.findings() == {
        "drifted": {"subject-differs"},
        "cased": {"subject-case-differs"},
        "older": {"retired-issuer"},
        "mine": {"retired-issuer"},
        "managed-identity deployer": {"not-looked-at"},
        "gone": {"application-gone"},
        "secret": {"secret-by-hand", "unused"},
        "certificate": {"certificate"},
        "profile": {"publish-profile"},
        scenario.connection: {"secret"},
    }
    ways = {row.connection: row.way for row in (await audited.report()).rows}
    assert "registry" not in ways
    assert [ways[name] for name in ("fits", "mine", "agents")] == [Way.FEDERATED, Way.FEDERATED, Way.MANAGED_IDENTITY]
    managed = await audited.row(scenario.connection)
    assert managed.managed_by == f"{scenario.vault}/{scenario.secret}"
    assert managed.application_name == scenario.application
    used = (await audited.row("older")).last_used
    assert used
    assert (audited.company.azure.cloud.clock.now() - used).days == 3
    assert told.notice
    assert told.counts["connections"] == 12
    assert {f.code for f in told.notice.findings} >= {"subject-differs", "application-gone", "secret"}


async def test_names_of_secrets_are_found_and_no_value_is_kept(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pipelines and variable groups, page by page; of what isn't secret no value gets into any blob."""
    monkeypatch.setattr(azure_devops_connections, "_AT_ONCE", "2")
    canary = f"hunter2-{uuid4().hex}"
    groups: dict[str, Any] = {f"group-{n}": {"variables": {"REGION": {"value": "westeurope"}}} for n in range(3)}
    groups["deploy"] = {"variables": {"DB_PASSWORD": {"value": canary}, "API_KEY": {"value": canary, "secret": True}}}
    pipeline = {"variables": {"npmToken": {"value": canary}, "token": {"value": canary, "secret": True}}}
    await audited.seed(variable_groups=groups, pipelines={"=nightly": pipeline})
    await audited.night()
    plain = [said.subject for said in (await audited.report()).findings if said.code == "variable-not-secret"]
    assert sorted(plain) == ["pipeline =nightly, variable npmToken", "variable group deploy, variable DB_PASSWORD"]
    container, stored = audited.company.clients.container(), b""
    for name in await names_under(container, "", "blobs"):
        stored += await (await container.get_blob_client(name).download_blob()).readall()
    assert b"npmToken" in stored
    assert canary.encode() not in stored


async def test_a_night_is_compared_with_the_last_one(audited: Audited) -> None:
    """Silent while nothing changes; back on a secret is wrong each night, what is repaired is told once as gone."""
    known, other = {"scheme": WIF, "id": str(uuid4())}, {"scheme": WIF, "id": str(uuid4())}
    await audited.connections(deploy=known, drifted={**other, "federated_credential": "other"})
    assert (await audited.night()).notice
    drifted = await audited.night()
    assert drifted.notice
    assert [f.code for f in drifted.notice.findings] == ["subject-differs"]  # wrong is told again, advice isn't
    assert "(since " in drifted.notice.findings[0].message
    await audited.connections(drifted=other)
    repaired = await audited.night()
    assert repaired.notice
    assert (repaired.notice.findings, repaired.counts["findings that are gone"]) == ((), 1)
    assert (await audited.night()).notice is None
    await audited.connections(deploy={"id": known["id"]})
    for _ in range(2):
        back = await audited.night()
        assert back.notice
        assert "back-on-a-secret" in {f.code for f in back.notice.findings}
    await audited.connections(deploy=known)
    await audited.night()
    assert "deploy" not in await audited.findings()


async def test_a_report_that_is_made_again_says_the_same(audited: Audited) -> None:
    """A step that died after the report was written tells what it would have told; what it read is removed later."""
    run = audited.begin()
    await audited.turns(run)
    first = await audited.reported(run)
    assert await audited.reported(run) == first
    await audited.night()
    left = await names_under(audited.company.clients.container(), turn.READ, "blobs")
    assert left
    assert not [name for name in left if run.run_id in name]


async def test_a_project_is_looked_at_once(audited: Audited) -> None:
    """Whichever vaults may name it, and however settings write it."""
    scopes = (
        Scope(vaults=("kv-a",), organizations={"Contoso": ("Shop", "Web")}),
        Scope(vaults=("kv-b",), organizations={"contoso": ("shop",), "fabrikam": ("Shop",)}),
    )
    desk = Desk(Clients(msgspec.structs.replace(audited.company.settings, scopes=scopes)))
    found = (await find(desk, audited.begin())).projects
    assert sorted((p.organization, p.project.lower()) for p in found) == [
        ("contoso", "shop"),
        ("contoso", "web"),
        ("fabrikam", "shop"),
    ]


async def test_limits_are_kept_by_pauses(audited: Audited) -> None:
    """Once Azure DevOps wants fewer requests, a turn ends and says how long to wait; nothing is read twice."""
    await audited.connections(**{f"c{n}": {"scheme": WIF} for n in range(4)})
    limit = {"limit": {"requests": 3, "seconds": 300}}
    await audited.company.azure.seed({"organizations": {audited.company.scenario.organization: limit}})
    run = audited.begin()
    turns = [await _turn(audited, run.run_id)]
    while turns[-1].more and len(turns) < 30:
        audited.company.settle(turns[-1].pause)
        turns.append(await _turn(audited, run.run_id))
    assert len(turns) > 1
    assert all(one.pause > 0 for one in turns[:-1])
    histories = [
        path for _, path in await audited.company.requests("azuredevops") if path.endswith("/executionhistory")
    ]
    assert len(histories) == len(set(histories)) == 5


async def _turn(audited: Audited, run_id: str) -> ProjectRead:
    (project,) = (await find(audited.company.desk, audited.begin())).projects
    return await audit(audited.company.desk, OfProject(run_id=run_id, started=audited.begin().started, project=project))


async def test_what_is_busy_stops_nothing_else(audited: Audited) -> None:
    """A turn that fails keeps what it read and goes on with the rest; the report has what there is."""
    await audited.seed(pipelines={"nightly": {"variables": {"npmToken": {"value": "x"}}}})
    await audited.connections(deploy={"scheme": WIF, "executions": [{"days_ago": 3}]})
    run, scenario = audited.begin(), audited.company.scenario
    await audited.company.fault("azuredevops", path=".*/variablegroups", status=503, count=None)
    for _ in range(8):
        with pytest.raises(NotYetError):
            await audited.turns(run)
    place = {"organization": scenario.organization, "project": scenario.project}
    await audited.reported(run, Unseen(**place, code="service-unavailable", message="it was busy"))
    row = await audited.row("deploy")
    assert row.application_name == scenario.application
    assert row.last_used
    assert await audited.findings() == {
        "": {"look-failed"},
        "pipeline nightly, variable npmToken": {"variable-not-secret"},
        scenario.connection: {"secret"},
    }


async def test_what_nobody_could_read_is_as_it_was(audited: Audited) -> None:
    """Rights that are missing are told, what was known stays, and nothing seems repaired."""
    await audited.connections(drifted={"scheme": WIF, "federated_credential": "none"})
    await audited.seed(variable_groups={"deploy": {"variables": {"DB_PASSWORD": {"value": "x"}}}})
    await audited.night()
    before = await audited.findings()
    organizations = audited.company.azure.cloud.azuredevops.organizations
    organizations[audited.company.scenario.organization].members.clear()
    run = audited.begin()
    with pytest.raises(PermanentError):
        await audited.turns(run)
    scenario = audited.company.scenario
    await audited.reported(
        run,
        Unseen(
            organization=scenario.organization, project=scenario.project, code="unauthorized", message="not a member"
        ),
    )
    assert await audited.findings() == before | {"": {"look-failed"}}
    assert (await audited.report()).gone == ()


async def test_the_tables_are_for_spreadsheets(audited: Audited) -> None:
    """One line for each connection and for each finding; what begins like a formula is text."""
    await audited.connections(**{"=cmd|' /C calc'!A0": {"scheme": WIF, "federated_credential": "none"}})
    await audited.night()
    for name, first in ((CONNECTIONS, "organization,project,connection,"), (FINDINGS, "code,severity,")):
        blob = await audited.company.clients.container().get_blob_client(name).download_blob()
        text = (await blob.readall()).decode()
        assert text.startswith(first)
        assert ",'=cmd|' /C calc'!A0," in text


def test_no_finding_is_no_mail() -> None:
    """An audit that finds nothing and knows of nothing that is gone is silent."""
    empty = msgspec.json.decode(b'{"run_id":"r","at":"2026-11-21T05:00:00Z"}', type=Report)
    assert notice(empty) is None


async def test_connection_of_own_agents_alone_is_told(audited: Audited) -> None:
    """By who used it and their pools: not one that a hosted agent used too, or whose users nobody knows."""
    scenario, now = audited.company.scenario, audited.company.azure.cloud.clock.now()
    own = {"pool": "own agents", "hosted": False}
    await audited.connections(mine={}, mixed={}, old={"executions": [{"days_ago": 3}]})
    mine, mixed = ({"uses": [{"endpoint": name}]} for name in ("mine", "mixed"))
    await audited.seed(pipelines={"a": {**own, **mine}, "b": {**own, **mixed}, "c": mixed})
    organization = audited.company.azure.cloud.azuredevops.organizations[scenario.organization]
    for pipeline in organization.projects[scenario.project.lower()].pipelines.values():
        pipeline.runs[1] = Run(1, "1", "refs/heads/main", now - timedelta(days=1), 60.0, "succeeded", "")
    await audited.night()
    found = await audited.findings()
    assert [name for name, codes in found.items() if "could-use-managed-identity" in codes] == ["mine"]
