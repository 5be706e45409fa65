"""What stands between a pipeline and a connection in Azure DevOps, and what tells that a pipeline refers to one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.azure.contracts import needs_contracts, validate_definition, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
PERMISSIONS = "azure-devops-pipelines/specification/approvalsAndChecks/7.1/pipelinePermissions.json"
CHECKS = "azure-devops-pipelines/specification/approvalsAndChecks/7.1/pipelinesChecks.json"
CONFIGURATIONS = "/Web/_apis/pipelines/checks/configurations"
APPROVAL = {"approvers": [{"id": "3b3db741-9d03-4e32-a7c0-6c3dfc2013c1"}], "minRequiredApprovers": 1}
DOCUMENT: dict[str, Any] = {
    "identities": {"admin": {}, "viewer": {}},
    "applications": {"app": {"passwords": [{}]}},
    "organizations": {
        "contoso": {
            "members": {
                "admin": {"projects": {"Web": ["administer", "view-builds"]}},
                "viewer": {"projects": {"Web": ["view"]}},
            },
            "projects": {
                "Web": {
                    "endpoints": {
                        "guarded": {
                            "application": "app",
                            "pipelines": ["deploy"],
                            "checks": [{"type": "Approval", "settings": APPROVAL, "timeout": 60}],
                        },
                        "open": {"application": "app", "all_pipelines": True},
                        "bare": {"application": "app"},
                    },
                    "pipelines": {
                        "deploy": {"author": "dev@contoso.example", "pool": "own", "hosted": False},
                        "classic": {
                            "type": "designerJson",
                            "steps": [
                                {
                                    "inputs": {"scriptType": "bash"},
                                    "connections": {"connectedServiceNameARM": "guarded"},
                                }
                            ],
                        },
                    },
                }
            },
        }
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """An organisation with a guarded connection, an open one, one that nobody may use yet, and two pipelines."""
    with pytest.MonkeyPatch.context() as patch:
        async with simulated(tmp_path_factory.mktemp("azure"), patch) as running:
            await running.seed(DOCUMENT)
            yield running


async def call(
    azure: Simulated, method: str, path: str, who: str = "admin", *, body: Any = None, version: str = "7.1-preview.1"
) -> Answer:
    """Send one request to the organisation."""
    separator = "&" if "?" in path else "?"
    where = f"{azure.cloud.url('azuredevops')}/contoso{path}{separator}api-version={version}"
    return await azure.call(method, where, token=azure.token(who, RESOURCE), body=body)


def ids(azure: Simulated, kind: str) -> dict[str, Any]:
    """Return what was seeded: ids by name."""
    found: dict[str, Any] = azure.cloud.azuredevops.seeded()["organizations"]["contoso"]["Web"][kind]
    return found


def permissions(azure: Simulated, name: str) -> str:
    """Return the path of a connection's permissions."""
    return f"/Web/_apis/pipelines/pipelinepermissions/endpoint/{ids(azure, 'endpoints')[name]}"


@needs_contracts
async def test_permissions_are_told_as_specified(azure: Simulated) -> None:
    """All pipelines or some by id; that not all may use a connection is told by silence."""
    told = {name: (await call(azure, "GET", permissions(azure, name))).body for name in ("guarded", "open", "bare")}
    for body in told.values():
        validate_response(PERMISSIONS, "Pipeline Permissions_Get", 200, body)
    deploy = ids(azure, "pipelines")["deploy"]
    assert [one["id"] for one in told["guarded"]["pipelines"] if one["authorized"]] == [deploy]
    assert [("allPipelines" in body, len(body["pipelines"])) for body in told.values()] == [
        (False, 1),
        (True, 0),
        (False, 0),
    ]
    assert told["open"]["allPipelines"]["authorized"] is True


@needs_contracts
async def test_permissions_are_given_and_taken(azure: Simulated) -> None:
    """What a PATCH names changes, what it leaves out stays, and the state tells it."""
    path, numbers = permissions(azure, "bare"), ids(azure, "pipelines")
    body = {"pipelines": [{"id": number, "authorized": True} for number in numbers.values()]}
    operation = "Pipeline Permissions_Update Pipeline Permisions For Resource"
    validate_request(PERMISSIONS, operation, body, {"api-version": "7.1-preview.1"})
    given = await call(azure, "PATCH", path, body=body)
    body = {"pipelines": [{"id": numbers["classic"], "authorized": False}]}
    taken = await call(azure, "PATCH", path, body=body)
    assert (given.status, len(given.body["pipelines"]), len(taken.body["pipelines"])) == (200, 2, 1)
    project = azure.cloud.azuredevops.state()["organizations"]["contoso"]["projects"]["Web"]
    assert list(project["endpoints"]["bare"]["permitted"].values()) == [
        {"all": False, "pipelines": [numbers["deploy"]]}
    ]


@pytest.mark.parametrize(
    ("who", "body", "version", "status"),
    [
        ("viewer", {"allPipelines": {"authorized": True}}, "7.1-preview.1", 403),
        ("admin", {"pipelines": [{"id": 4711, "authorized": True}]}, "7.1-preview.1", 404),
        ("admin", {"allPipelines": {"authorized": True}}, "7.1", 400),
    ],
)
async def test_permissions_are_for_administrators_of_what_is_there(
    azure: Simulated, who: str, body: dict[str, Any], version: str, status: int
) -> None:
    """A viewer can't give them, nobody to a pipeline that isn't there, and only the preview has them."""
    answer = await call(azure, "PATCH", permissions(azure, "guarded"), who, body=body, version=version)
    left = (await call(azure, "GET", permissions(azure, "guarded"), "viewer")).body
    assert (answer.status, "allPipelines" in left, len(left["pipelines"])) == (status, False, 1)


@needs_contracts
async def test_checks_tell_their_settings_to_who_asks(azure: Simulated) -> None:
    """A list has a check's settings only with $expand, and of one connection only its own."""
    query = f"?resourceType=endpoint&resourceId={ids(azure, 'endpoints')['guarded']}"
    short = (await call(azure, "GET", CONFIGURATIONS + query)).body["value"]
    whole = (await call(azure, "GET", f"{CONFIGURATIONS}{query}&$expand=settings")).body["value"]
    validate_response(CHECKS, "Check Configurations_List", 200, whole)
    assert ([one.get("settings") for one in short], [one["settings"] for one in whole]) == ([None], [APPROVAL])
    assert (whole[0]["type"]["name"], whole[0]["timeout"]) == ("Approval", 60)
    other = f"?resourceType=endpoint&resourceId={ids(azure, 'endpoints')['open']}"
    assert (await call(azure, "GET", CONFIGURATIONS + other)).body["count"] == 0


@needs_contracts
async def test_checks_are_added_and_deleted(azure: Simulated) -> None:
    """What a list told can be added to another connection; deleted, it is gone; deleting takes Administrator."""
    endpoints = ids(azure, "endpoints")
    query = f"?resourceType=endpoint&resourceId={endpoints['guarded']}&$expand=settings"
    told = (await call(azure, "GET", CONFIGURATIONS + query)).body["value"][0]
    body = {name: told[name] for name in ("type", "settings", "timeout")}
    body["resource"] = {"type": "endpoint", "id": endpoints["bare"], "name": "bare"}
    validate_request(CHECKS, "Check Configurations_Add", body, {"api-version": "7.1-preview.1"})
    refused = await call(azure, "POST", CONFIGURATIONS, "viewer", body=body)
    made = await call(azure, "POST", CONFIGURATIONS, body=body)
    validate_response(CHECKS, "Check Configurations_Add", 200, made.body)
    one = f"{CONFIGURATIONS}/{made.body['id']}"
    assert (refused.status, made.body["settings"]) == (403, APPROVAL)
    assert (await call(azure, "DELETE", one, "viewer")).status == 403
    assert (await call(azure, "DELETE", one)).status == 204
    assert [(await call(azure, method, one)).status for method in ("GET", "DELETE")] == [404, 404]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": {"name": "Approval"}, "settings": {}}, 400),
        ({"type": {"name": "Magic"}, "settings": {}}, 400),
        ({"type": {"name": "ExclusiveLock"}, "resource": {"type": "queue", "id": "1"}}, 400),
    ],
)
async def test_check_that_does_not_fit_is_refused(azure: Simulated, body: dict[str, Any], status: int) -> None:
    """An approval without approvers, an unknown type, another resource than a connection."""
    resource = {"type": "endpoint", "id": ids(azure, "endpoints")["open"]}
    assert (await call(azure, "POST", CONFIGURATIONS, body={"resource": resource} | body)).status == status


async def test_guards_go_with_their_connection(azure: Simulated) -> None:
    """A deleted connection leaves neither checks nor permissions."""
    lock = {"type": "ExclusiveLock"}
    seed = {"gone": {"application": "app", "all_pipelines": True, "checks": [lock]}}
    await azure.seed({"organizations": {"contoso": {"projects": {"Web": {"endpoints": seed}}}}})
    project = azure.cloud.azuredevops.organizations["contoso"].existing("Web")
    before = len(project.checks)
    where = f"/_apis/serviceendpoint/endpoints/{ids(azure, 'endpoints')['gone']}?projectIds={project.id}"
    path = permissions(azure, "gone")
    assert (await call(azure, "DELETE", where, version="7.1")).status == 204
    assert (len(project.checks), (await call(azure, "GET", path)).status) == (before - 1, 404)


@needs_contracts
async def test_definitions_tell_author_pool_and_what_they_refer_to(azure: Simulated) -> None:
    """The list tells who made a pipeline and where it runs, the whole one its file, or its steps with connections."""
    listed = (await call(azure, "GET", "/Web/_apis/build/definitions", version="7.1")).body["value"]
    deploy, classic = sorted(listed, key=lambda one: one["name"] != "deploy")
    assert deploy["authoredBy"]["uniqueName"] == "dev@contoso.example"
    pools = [one["queue"]["pool"] for one in (deploy, classic)]
    assert [(pool["name"], pool.get("isHosted")) for pool in pools] == [("own", None), ("Azure Pipelines", True)]
    whole = [
        (await call(azure, "GET", f"/Web/_apis/build/definitions/{one['id']}", version="7.1")).body["process"]
        for one in (deploy, classic)
    ]
    assert whole[0] == {"type": 2, "yamlFilename": "/azure-pipelines.yml"}
    step = whole[1]["phases"][0]["steps"][0]
    assert step["inputs"]["connectedServiceNameARM"] == ids(azure, "endpoints")["guarded"]
    validate_definition(PERMISSIONS, "IdentityRef", deploy["authoredBy"])
