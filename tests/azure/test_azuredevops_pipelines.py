"""Azure DevOps' pipelines and classic releases as a careful client and their specification meet them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.azure.contracts import needs_contracts, validate_definition, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
BUILD = "33344d9c-fc72-4d6f-aba5-fa317101a7e9"
RELEASE = "c788c23e-1b46-4162-8f5e-d7585343b5de"
PIPELINES_SPEC = "azure-devops-pipelines/specification/pipelines/7.1/pipelines.json"
RELEASE_SPEC = "azure-devops-pipelines/specification/release/7.1/release.json"
USES = [{"endpoint": "prod"}, {"group": "deploy", "variable": "KEY", "application": "app"}]
DOCUMENT: dict[str, Any] = {
    "identities": {"admin": {}, "viewer": {}, "stranger": {}},
    "applications": {"app": {"passwords": [{}]}},
    "organizations": {
        "contoso": {
            "members": {
                "admin": {"projects": {"Web": ["queue-builds", "create-releases", "administer"]}},
                "viewer": {"projects": {"Web": ["view-builds", "view-releases"]}},
                "stranger": {"projects": {"Web": ["administer"]}},
            },
            "projects": {
                "Web": {
                    "endpoints": {"prod": {"application": "app"}},
                    "variable_groups": {
                        "deploy": {"variables": {"KEY": {"value": {"password_of": "app"}, "secret": True}}}
                    },
                    "pipelines": {
                        "build": {"seconds": 60, "uses": USES, "branches": ["refs/heads/main", "refs/heads/next"]},
                        "broken": {"outcome": "failed"},
                        "off": {"status": "disabled"},
                    },
                    "releases": {
                        "ship": {
                            "stages": {
                                "test": {"seconds": 60, "uses": USES},
                                "prod": {"seconds": 60},
                                "by hand": {"automatic": False},
                            }
                        }
                    },
                }
            },
        }
    },
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with one organisation."""
    async with simulated(tmp_path, monkeypatch) as running:
        running.cloud.switches.set({"service": "entra", "propagation": {"seconds": 0}})
        await running.seed(DOCUMENT)
        yield running


async def call(
    azure: Simulated, method: str, path: str, identity: str = "admin", *, body: Any = None, host: str = "azuredevops"
) -> Answer:
    """Send one request to the project, on the host of releases if `host` says so."""
    separator = "&" if "?" in path else "?"
    where = f"{azure.cloud.url(host)}/contoso/Web/_apis/{path}{separator}api-version=7.1"
    return await azure.call(method, where, token=azure.token(identity, RESOURCE), body=body)


async def queue(azure: Simulated, pipeline: int = 1, branch: str | None = None, identity: str = "admin") -> Answer:
    """Queue a run."""
    resources = {"repositories": {"self": {"refName": branch}}} if branch else {}
    return await call(azure, "POST", f"pipelines/{pipeline}/runs", identity, body={"resources": resources})


async def create(azure: Simulated, identity: str = "admin") -> Answer:
    """Create a release."""
    body = {"definitionId": 1, "description": "by rekey", "isDraft": False}
    return await call(azure, "POST", "release/releases", identity, body=body, host="vsrm")


async def statuses(azure: Simulated, release: int) -> dict[str, str]:
    """Return the status of each stage."""
    answer = await call(azure, "GET", f"release/releases/{release}", host="vsrm")
    return {stage["name"]: stage["status"] for stage in answer.body["environments"]}


def pass_time(azure: Simulated, seconds: float) -> None:
    """Move the simulated clock."""
    azure.cloud.clock.advance(timedelta(seconds=seconds))


def break_password(azure: Simulated) -> None:
    """Remove the password that connection and group hold."""
    application = azure.cloud.directory.application("app")
    azure.cloud.directory.remove_password(application, application.passwords[0].key_id)


async def test_run_takes_its_time_and_succeeds(azure: Simulated) -> None:
    """A run is in progress without a result until its time is over; runs are numbered and listed newest first."""
    first, second = await queue(azure), await queue(azure, branch="refs/heads/next")
    assert (first.status, first.body["state"], first.body.get("result")) == (200, "inProgress", None)
    assert second.body["id"] > first.body["id"]
    assert second.body["resources"]["repositories"]["self"]["refName"] == "refs/heads/next"
    pass_time(azure, 61)
    over = await call(azure, "GET", f"pipelines/1/runs/{first.body['id']}")
    assert (over.body["state"], over.body["result"]) == ("completed", "succeeded")
    listed = await call(azure, "GET", "pipelines/1/runs")
    assert [run["id"] for run in listed.body["value"]] == [second.body["id"], first.body["id"]]


async def test_run_fails_when_what_it_uses_is_refused(azure: Simulated) -> None:
    """A run signs in with the connection and the variable that it uses: a removed password makes it fail."""
    break_password(azure)
    number = (await queue(azure)).body["id"]
    pass_time(azure, 61)
    assert (await call(azure, "GET", f"pipelines/1/runs/{number}")).body["result"] == "failed"


async def test_variable_alone_makes_a_run_fail(azure: Simulated) -> None:
    """A wrong value in the group is noticed though the connection works."""
    group = azure.cloud.azuredevops.organizations["contoso"].projects["web"].groups[1]
    group.secrets["KEY"] = "wrong"
    number = (await queue(azure)).body["id"]
    pass_time(azure, 61)
    assert (await call(azure, "GET", f"pipelines/1/runs/{number}")).body["result"] == "failed"


async def test_seeded_outcome_is_the_result(azure: Simulated) -> None:
    """A pipeline that fails by itself fails."""
    number = (await queue(azure, 2)).body["id"]
    assert (await call(azure, "GET", f"pipelines/2/runs/{number}")).body["result"] == "failed"


async def test_queueing_is_refused_with_the_reason(azure: Simulated) -> None:
    """No permission, a disabled pipeline and a branch that isn't there are refusals, and nothing is queued."""
    answers = [
        await queue(azure, identity="viewer"),
        await queue(azure, 3),
        await queue(azure, branch="refs/heads/none"),
        await queue(azure, 99),
        await queue(azure, identity="stranger"),
    ]
    assert [(a.status, a.body["typeKey"]) for a in answers] == [
        (403, "AccessDeniedException"),
        (400, "DefinitionDisabledException"),
        (400, "PipelineValidationException"),
        (404, "PipelineNotFoundException"),
        (404, "PipelineNotFoundException"),
    ]
    assert "needs Queue builds permissions for build pipeline 1:build" in answers[0].body["message"]
    assert (await call(azure, "GET", "build/builds")).body["value"] == []


async def test_malformed_body_is_refused(azure: Simulated) -> None:
    """A body of the wrong shape is a 400."""
    answer = await call(azure, "POST", "pipelines/1/runs", body={"resources": {"repositories": []}})
    assert answer.status == 400


async def test_definitions_are_found_by_name_and_tell_whether_they_are_on(azure: Simulated) -> None:
    """The Build API finds a pipeline by its name and says what the Pipelines API doesn't: whether it may be queued."""
    found = await call(azure, "GET", "build/definitions?name=OFF")
    assert [(d["id"], d["queueStatus"]) for d in found.body["value"]] == [(3, "disabled")]
    assert (await call(azure, "GET", "build/definitions/1")).body["queueStatus"] == "enabled"
    assert (await call(azure, "GET", "build/definitions/99")).status == 404
    assert (await call(azure, "GET", "build/definitions?name=off", "stranger")).body["value"] == []


async def test_builds_are_narrowed(azure: Simulated) -> None:
    """Runs can be asked for by pipeline and branch, and only so many, newest first."""
    ids = [(await queue(azure, branch=f"refs/heads/{name}")).body["id"] for name in ("main", "next", "main")]
    await queue(azure, 2)
    on_main = await call(azure, "GET", "build/builds?definitions=1&branchName=refs/heads/main")
    assert [b["id"] for b in on_main.body["value"]] == [ids[2], ids[0]]
    newest = await call(azure, "GET", "build/builds?definitions=1&$top=1")
    assert [b["id"] for b in newest.body["value"]] == [ids[2]]


@pytest.mark.parametrize(
    ("identity", "namespace", "bits", "expected"),
    [
        ("admin", BUILD, 128, True),
        ("viewer", BUILD, 128, False),
        ("viewer", BUILD, 1024, True),
        ("admin", RELEASE, 64, True),
        ("viewer", RELEASE, 64, False),
    ],
)
async def test_permissions_can_be_asked_for(
    azure: Simulated,
    identity: str,
    namespace: str,
    bits: int,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    """The permissions API knows who may queue a run or a release of a pipeline."""
    project = azure.cloud.azuredevops.organizations["contoso"].projects["web"].id
    where = f"{azure.cloud.url('azuredevops')}/contoso/_apis/permissions/{namespace}/{bits}?tokens={project}/1"
    answer = await azure.call("GET", where, token=azure.token(identity, RESOURCE))
    assert answer.body == {"count": 1, "value": [expected]}


async def test_release_goes_through_its_automatic_stages(azure: Simulated) -> None:
    """Stages follow each other; one that people start waits."""
    created = await create(azure)
    number = created.body["id"]
    assert (created.status, created.body["description"]) == (200, "by rekey")
    expected = [
        ("inProgress", "notStarted", "notStarted"),
        ("succeeded", "inProgress", "notStarted"),
        ("succeeded", "succeeded", "notStarted"),
    ]
    for one in expected:
        assert tuple((await statuses(azure, number)).values()) == one
        pass_time(azure, 61)


async def test_release_stops_at_a_stage_that_is_refused(azure: Simulated) -> None:
    """A stage that can't sign in is rejected, and the next one never starts."""
    break_password(azure)
    number = (await create(azure)).body["id"]
    pass_time(azure, 300)
    assert await statuses(azure, number) == {"test": "rejected", "prod": "notStarted", "by hand": "notStarted"}


async def test_release_is_refused_and_found(azure: Simulated) -> None:
    """Creating takes a permission; what isn't there or isn't shown is a 404."""
    assert ((await create(azure, "viewer")).status, (await create(azure, "stranger")).status) == (403, 404)
    assert (await call(azure, "GET", "release/releases/99", host="vsrm")).status == 404
    number = (await create(azure)).body["id"]
    listed = await call(azure, "GET", "release/releases?definitionId=1&$top=1", host="vsrm")
    assert [(r["id"], "environments" in r) for r in listed.body["value"]] == [(number, False)]


async def test_release_definitions_say_which_stages_are_automatic(azure: Simulated) -> None:
    """A definition is found by its exact name; automatic stages have conditions."""
    found = await call(azure, "GET", "release/definitions?searchText=SHIP&isExactNameMatch=true", host="vsrm")
    (number,) = [definition["id"] for definition in found.body["value"]]
    definition = (await call(azure, "GET", f"release/definitions/{number}", host="vsrm")).body
    assert [bool(stage["conditions"]) for stage in definition["environments"]] == [True, True, False]


async def test_each_host_has_its_own_operations(azure: Simulated) -> None:
    """Releases are spoken of on their host only, pipelines on the other only; both refuse strangers alike."""
    assert (await call(azure, "GET", "release/releases")).status == 404
    assert (await call(azure, "GET", "pipelines", host="vsrm")).status == 404
    where = f"{azure.cloud.url('vsrm')}/contoso/Web/_apis/release/releases"
    answer = await azure.call("GET", where)
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (203, "text/html")
    other = await azure.call("GET", where, token=azure.token("admin", azure.cloud.url("graph")))
    assert other.status == 401


@pytest.mark.parametrize(
    ("project", "says"),
    [
        ({"pipelines": {"p": {"uses": [{"group": "g"}]}}}, "pipelines.p.uses: got"),
        ({"pipelines": {"p": {"outcome": "odd"}}}, "pipelines.p.outcome: got 'odd'"),
        ({"releases": {"r": {"stages": {"s": {"seconds": "x"}}}}}, "releases.r"),
    ],
)
async def test_bad_seed_names_field_and_value(azure: Simulated, project: dict[str, Any], says: str) -> None:
    """A seed that is wrong is a 400 that says where."""
    document = {"organizations": {"contoso": {"projects": {"Web": project}}}}
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body=document)
    assert (answer.status, says in answer.body["error"]) == (400, True), answer.body


@needs_contracts
async def test_answers_keep_to_the_specification(azure: Simulated) -> None:
    """Requests and answers are what the published specification allows."""
    body = {"resources": {"repositories": {"self": {"refName": "refs/heads/main"}}}}
    validate_request(PIPELINES_SPEC, "POST /contoso/Web/_apis/pipelines/1/runs", body, {"api-version": "7.1"})
    run = await queue(azure, branch="refs/heads/main")
    validate_response(PIPELINES_SPEC, "POST /contoso/Web/_apis/pipelines/1/runs", run.status, run.body)
    pass_time(azure, 61)
    over = await call(azure, "GET", f"pipelines/1/runs/{run.body['id']}")
    validate_response(PIPELINES_SPEC, f"GET /contoso/Web/_apis/pipelines/1/runs/{run.body['id']}", 200, over.body)
    pipeline = await call(azure, "GET", "pipelines/1")
    validate_response(PIPELINES_SPEC, "GET /contoso/Web/_apis/pipelines/1", 200, pipeline.body)
    wanted = {"definitionId": 1, "description": "x", "isDraft": False, "reason": "manual"}
    validate_request(RELEASE_SPEC, "Releases_Create", wanted, {"api-version": "7.1"})
    release = await create(azure)
    validate_response(RELEASE_SPEC, "Releases_Create", release.status, release.body)
    definition = await call(azure, "GET", "release/definitions/1", host="vsrm")
    validate_definition(RELEASE_SPEC, "ReleaseDefinition", definition.body)
