"""Azure DevOps' variable groups as a careful client and their published specification meet them."""

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
LIBRARY = "b7e84409-6553-448a-bbb2-af228e07cbeb"
SPEC = "azure-devops-pipelines/specification/distributedTask/7.1/taskAgent.json"
GROUPS = "_apis/distributedtask/variablegroups"
DOCUMENT: dict[str, Any] = {
    "identities": {"admin": {}, "user": {}, "nobody": {}},
    "applications": {"app": {"passwords": [{}]}},
    "organizations": {
        "contoso": {
            "members": {
                "admin": {"projects": {"Web": ["library-administrator"], "Other": ["library-reader"]}},
                "user": {"projects": {"Web": ["library-user"]}},
                "nobody": {"projects": {"Web": ["administer"]}},
            },
            "projects": {
                "Web": {
                    "variable_groups": {
                        "deploy": {
                            "variables": {
                                "KEY": {"value": {"password_of": "app"}, "secret": True},
                                "OTHER": {"value": "other secret", "secret": True},
                                "REGION": {"value": "westeurope", "read_only": True},
                            },
                            "extra": {"fromTheFuture": [1]},
                            "shared_with": ["Other"],
                        },
                        "vaulted": {
                            "type": "AzureKeyVault",
                            "vault": "kv",
                            "variables": {"from-vault": {"secret": True, "extra": {"enabled": True}}},
                        },
                    }
                },
                "Other": {},
            },
        }
    },
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with one organisation."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


async def call(azure: Simulated, method: str, path: str, identity: str = "admin", *, body: Any = None) -> Answer:
    """Send one request to the organisation."""
    separator = "&" if "?" in path else "?"
    where = f"{azure.cloud.url('azuredevops')}/contoso{path}{separator}api-version=7.1"
    return await azure.call(method, where, token=azure.token(identity, RESOURCE), body=body)


async def group(azure: Simulated, name: str = "deploy", identity: str = "admin") -> Any:
    """Return a group as a GET by id shows it, found by its name."""
    found = await call(azure, "GET", f"/Web/{GROUPS}?groupName={name}", identity)
    assert (found.status, found.body["count"]) == (200, 1)
    return (await call(azure, "GET", f"/Web/{GROUPS}/{found.body['value'][0]['id']}", identity)).body


async def put(azure: Simulated, body: dict[str, Any], identity: str = "admin", number: int = 1) -> Answer:
    """Replace a group."""
    return await call(azure, "PUT", f"/{GROUPS}/{number}", identity, body=body)


def stored(azure: Simulated, name: str = "deploy") -> Any:
    """Return what the state tells of a group."""
    return azure.cloud.azuredevops.state()["organizations"]["contoso"]["projects"]["Web"]["variable_groups"][name]


async def test_secret_values_are_never_shown(azure: Simulated) -> None:
    """A secret's value is null in list, GET and PUT; the others are shown."""
    found = await group(azure)
    answers = [found, (await call(azure, "GET", f"/Web/{GROUPS}?groupIds=1")).body["value"][0]]
    answers.append((await put(azure, found)).body)
    for one in answers:
        values = {name: variable["value"] for name, variable in one["variables"].items()}
        assert values == {"KEY": None, "OTHER": None, "REGION": "westeurope"}
    assert stored(azure)["secrets"]["KEY"] == azure.cloud.directory.password_value("app")


async def test_merged_put_keeps_everything_else(azure: Simulated) -> None:
    """With one secret's value and the others null, only that value changes; fields from the future stay."""
    before = await group(azure)
    changed = deepcopy(before)
    changed["variables"]["KEY"]["value"] = "new"
    answer = await put(azure, changed)
    assert answer.status == 200
    assert stored(azure)["secrets"] == {"KEY": "new", "OTHER": "other secret"}
    after = await group(azure)
    assert after["modifiedBy"]["id"] == azure.cloud.directory.identity("admin").object_id
    for field in ("modifiedOn", "modifiedBy"):
        del before[field], after[field]
    assert after == before


@pytest.mark.parametrize(
    ("switch", "status", "kept"), [("keeps", 200, True), ("clears", 200, False), ("refuses", 400, True)]
)
async def test_null_of_another_secret_is_a_switch(azure: Simulated, switch: str, status: int, kept: bool) -> None:  # noqa: FBT001 - a table
    """The real service keeps a secret that is sent without value; two other behaviours can be tried."""
    await azure.seed({"organizations": {"contoso": {"null_variable": switch}}})
    assert (await put(azure, await group(azure))).status == status
    assert bool(stored(azure)["secrets"]["OTHER"]) is kept


async def test_absent_variable_is_deleted(azure: Simulated) -> None:
    """PUT replaces the whole group: what isn't sent is gone, secrets too."""
    body = await group(azure)
    del body["variables"]["OTHER"]
    assert (await put(azure, body)).status == 200
    assert "OTHER" not in stored(azure)["secrets"]
    assert "OTHER" not in (await group(azure))["variables"]


async def test_secret_that_is_made_plain_loses_its_value(azure: Simulated) -> None:
    """Turning isSecret off reveals nothing."""
    body = await group(azure)
    body["variables"]["OTHER"]["isSecret"] = False
    assert (await put(azure, body)).status == 200
    assert (await group(azure))["variables"]["OTHER"]["value"] is None


async def test_group_from_a_list_lacks_its_projects_and_is_refused(azure: Simulated) -> None:
    """What a list shows of a group isn't enough for a PUT."""
    (listed,) = (await call(azure, "GET", f"/Web/{GROUPS}?groupName=deploy")).body["value"]
    assert listed["variableGroupProjectReferences"] is None
    assert (await put(azure, listed)).status == 401
    whole = await group(azure)
    del whole["variableGroupProjectReferences"][0]["name"]
    answer = await put(azure, whole)
    assert (answer.status, "Project information name" in answer.body["message"]) == (400, True)


@pytest.mark.parametrize("field", ["name", "type", "variables"])
async def test_put_needs_the_whole_group(azure: Simulated, field: str) -> None:
    """Without one of its parts a PUT is a 400 that names it, and nothing changes."""
    body = await group(azure)
    del body[field]
    answer = await put(azure, body)
    assert (answer.status, f"group.{field}" in answer.body["message"]) == (400, True)
    assert stored(azure)["updates"] == []


async def test_put_needs_administrator(azure: Simulated) -> None:
    """Whoever may only use a group can't change it; whoever may not view it doesn't find it."""
    body = await group(azure)
    refused, hidden = await put(azure, body, "user"), await put(azure, body, "nobody")
    assert (refused.status, hidden.status) == (403, 404)
    assert stored(azure)["updates"] == []


async def test_what_is_not_there_is_null_or_absent(azure: Simulated) -> None:
    """A GET of no group, or of one that isn't for the caller's eyes, is 200 with null; lists leave it out."""
    for identity, number in (("admin", 99), ("nobody", 1)):
        answer = await call(azure, "GET", f"/Web/{GROUPS}/{number}", identity)
        assert (answer.status, answer.body) == (200, None)
    assert (await call(azure, "GET", f"/Web/{GROUPS}?groupName=deploy", "nobody")).body["count"] == 0


async def test_shared_group_shows_in_both_projects(azure: Simulated) -> None:
    """A shared group is one object in two projects."""
    answer = await call(azure, "GET", f"/Other/{GROUPS}/1")
    assert [r["projectReference"]["name"] for r in answer.body["variableGroupProjectReferences"]] == ["Web", "Other"]


@pytest.mark.parametrize(("identity", "bits", "expected"), [("admin", 2, True), ("user", 2, False), ("user", 17, True)])
async def test_permissions_can_be_asked_for(azure: Simulated, identity: str, bits: int, expected: bool) -> None:  # noqa: FBT001 - a table
    """The permissions API knows the library's bits and tokens."""
    project = azure.cloud.azuredevops.organizations["contoso"].projects["web"].id
    where = f"/_apis/permissions/{LIBRARY}/{bits}?tokens=Library/{project}/VariableGroup/1"
    assert (await call(azure, "GET", where, identity)).body == {"count": 1, "value": [expected]}


async def test_group_of_a_vault_tells_which(azure: Simulated) -> None:
    """A group backed by Key Vault has names of secrets and no values."""
    found = await group(azure, "vaulted")
    assert (found["type"], found["providerData"]["vault"]) == ("AzureKeyVault", "kv")
    assert found["variables"] == {"from-vault": {"isSecret": True, "value": None, "enabled": True}}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"variables": {"K": {"value": {"password_of": "none"}}}}, "variable_groups.g.variables.K: no application"),
        ({"type": "Consul"}, "variable_groups.g.type: got 'Consul'"),
        ({"shared_with": ["None"]}, "variable_groups.g.shared_with: got ['None']"),
    ],
)
async def test_bad_seed_names_field_and_value(azure: Simulated, body: dict[str, Any], says: str) -> None:
    """A seed that is wrong is a 400 that says where."""
    document = {"organizations": {"contoso": {"projects": {"Web": {"variable_groups": {"g": body}}}}}}
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body=document)
    assert (answer.status, says in answer.body["error"]) == (400, True), answer.body


@needs_contracts
async def test_answers_keep_to_the_specification(azure: Simulated) -> None:
    """Requests and answers are what the published specification allows."""
    body = await group(azure)
    validate_response(SPEC, f"GET /contoso/Web/{GROUPS}/1", 200, body)
    body["variables"]["KEY"]["value"] = "x"
    validate_request(SPEC, f"PUT /contoso/{GROUPS}/1", body, {"api-version": "7.1"})
    answer = await put(azure, body)
    validate_response(SPEC, f"PUT /contoso/{GROUPS}/1", answer.status, answer.body)
    listed = (await call(azure, "GET", f"/Web/{GROUPS}?groupIds=1")).body["value"]
    validate_response(SPEC, "Variablegroups_Get Variable Groups By Id", 200, listed)
