"""Microsoft.Logic of the simulated Azure Resource Manager, held to its published specification and to recordings."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

SPEC = "arm-logic/specification/logic/resource-manager/Microsoft.Logic/stable/2019-05-01/logic.json"
GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rekey-sim"
FLOW = f"{GROUP}/providers/Microsoft.Logic/workflows/flow"
DOCUMENT: dict[str, Any] = {
    "identities": {"editor": {}, "reader": {}, "stranger": {}},
    "applications": {"app": {"passwords": [{}]}},
    "role_assignments": [
        {"identity": "editor", "role": "Logic App Contributor", "scope": GROUP},
        {"identity": "reader", "role": "Reader", "scope": GROUP},
    ],
    "workflows": {
        "flow": {
            "state": "Disabled",
            "definition": {"parameters": {"region": {"type": "String"}, "limit": {"type": "Int", "defaultValue": 3}}},
            "parameters": {"region": {"value": "eu"}},
            "secrets": {"password": {"password_of": "app"}},
            "tags": {"team": "shop"},
            "identity": {"type": "SystemAssigned"},
        },
        "strict": {"secrets": {"password": "p"}, "has_etag": True, "hides": "empty"},
    },
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with two workflows."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


async def ask(  # a request's parts
    azure: Simulated, method: str, path: str = FLOW, body: Any = None, who: str = "editor", **headers: str
) -> Answer:
    """Send a request of this api-version."""
    url = f"{azure.cloud.url('management')}{path}?api-version=2019-05-01"
    token = azure.token(who, "https://management.azure.com")
    return await azure.call(method, url, token=token, body=body, headers=headers)


def kept(azure: Simulated, path: str = FLOW) -> dict[str, Any]:
    """Return what the service holds of a workflow."""
    found: dict[str, Any] = azure.cloud.services["arm"].state()["Microsoft.Logic"][path]["document"]["properties"]
    return found


def secret(value: Any, **document: Any) -> dict[str, Any]:
    """Return a workflow document in which the password has that value."""
    parameters = {"region": {"value": "eu"}, "password": {"value": value}}
    definition = {"parameters": {"region": {"type": "String"}, "password": {"type": "SecureString"}}}
    properties = {"definition": definition, "parameters": parameters}
    return {"location": "westeurope", "properties": properties, **document}


async def test_secure_values_are_never_shown(azure: Simulated) -> None:
    """A GET has all of a workflow but the values of its secure parameters."""
    answer = await ask(azure, "GET")
    assert answer.status == 200
    assert answer.body["properties"]["parameters"] == {"region": {"value": "eu"}}
    assert answer.body["properties"]["definition"]["parameters"]["password"] == {"type": "SecureString"}
    assert answer.body["properties"]["state"] == "Disabled"
    assert answer.body["tags"] == {"team": "shop"}
    assert answer.body["identity"]["principalId"]
    assert "ETag" not in answer.headers
    assert kept(azure)["parameters"]["password"]["value"]
    strict = await ask(azure, "GET", f"{GROUP}/providers/Microsoft.Logic/workflows/strict")
    assert strict.body["properties"]["parameters"] == {"password": {"value": ""}}


def specified(body: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow without its parameters' values: the specification says objects and means anything.

    See https://github.com/Azure/azure-sdk-for-js/issues/23211.
    """
    parameters = {name: {**one, "value": {}} for name, one in body["properties"]["parameters"].items()}
    return {**body, "properties": {**body["properties"], "parameters": parameters}}


@needs_contracts
async def test_answers_and_requests_are_as_specified(azure: Simulated) -> None:
    """What is read and what a replacement answers fit the published specification."""
    read = await ask(azure, "GET")
    validate_response(SPEC, "Workflows_Get", read.status, specified(read.body))
    document = secret("new")
    validate_request(SPEC, "Workflows_CreateOrUpdate", specified(document), {"api-version": "2019-05-01"})
    written = await ask(azure, "PUT", body=document)
    validate_response(SPEC, "Workflows_CreateOrUpdate", written.status, specified(written.body))
    patched = await ask(azure, "PATCH")
    validate_response(SPEC, "Workflows_Update", patched.status, specified(patched.body))


async def test_put_replaces_the_whole(azure: Simulated) -> None:
    """What a PUT leaves out is gone, and a disabled workflow that isn't said to be one runs again."""
    answer = await ask(azure, "PUT", body=secret("new"))
    assert answer.status == 200
    assert "tags" not in answer.body
    assert "identity" not in answer.body
    assert kept(azure)["state"] == "Enabled"
    assert set(kept(azure)["definition"]["parameters"]) == {"region", "password"}
    assert kept(azure)["parameters"]["password"]["value"] == "new"


async def test_every_put_makes_a_version(azure: Simulated) -> None:
    """Version and dates move with each PUT, and the service's own fields in a request count for nothing."""
    before = (await ask(azure, "GET")).body
    again = {**before, "properties": {**before["properties"], "version": "mine", "provisioningState": "Failed"}}
    again["properties"]["parameters"]["password"] = {"value": "new"}
    after = (await ask(azure, "PUT", body=again)).body
    assert after["properties"]["version"] not in {"mine", before["properties"]["version"]}
    assert after["properties"]["changedTime"] > before["properties"]["changedTime"]
    assert after["properties"]["provisioningState"] == "Succeeded"
    for own in ("version", "changedTime", "createdTime"):
        del before["properties"][own], after["properties"][own]
    del before["properties"]["parameters"]["password"]
    assert before == after


@pytest.mark.parametrize(
    "parameters",
    [
        {"region": {"value": "eu"}},
        {"region": {"value": "eu"}, "password": {"type": "SecureString"}},
        {"region": {"value": "eu"}, "password": {"value": None}},
        {"region": {"value": "eu"}, "password": {"value": 7}},
        {"region": {"value": "eu"}, "password": {"value": "p"}, "other": {"value": "x"}},
    ],
)
async def test_values_have_to_fit_the_definition(azure: Simulated, parameters: dict[str, Any]) -> None:
    """A secure parameter without a value, one of another type and an undeclared one are InvalidTemplate."""
    before, document = kept(azure), secret("new")
    document["properties"]["parameters"] = parameters
    answer = await ask(azure, "PUT", body=document)
    assert (answer.status, answer.body["error"]["code"]) == (400, "InvalidTemplate")
    assert kept(azure) == before


async def test_patch_changes_nothing(azure: Simulated) -> None:
    """An update takes no body in this api-version, so that nothing can be changed by it."""
    before = kept(azure)
    assert (await ask(azure, "PATCH", body=secret("new"))).status == 200
    assert kept(azure) == before


async def test_if_match_counts_where_there_is_an_etag(azure: Simulated) -> None:
    """A stale ETag is a 412 and changes nothing; where the service sends none, If-Match is nothing to it."""
    path = f"{GROUP}/providers/Microsoft.Logic/workflows/strict"
    etag = (await ask(azure, "GET", path)).headers["ETag"]
    assert (await ask(azure, "PUT", path, secret("new"), **{"If-Match": etag})).status == 200
    stale = await ask(azure, "PUT", path, secret("newer"), **{"If-Match": etag})
    assert (stale.status, stale.body["error"]["code"]) == (412, "PreconditionFailed")
    assert kept(azure, path)["parameters"]["password"]["value"] == "new"
    assert (await ask(azure, "PUT", body=secret("new"), **{"If-Match": '"0"'})).status == 200


async def test_rights_versions_and_names_are_checked(azure: Simulated) -> None:
    """Who has no role is refused, and so is a workflow that isn't there, another location and a strange api-version."""
    assert (await ask(azure, "GET", who="reader")).status == 200
    assert (await ask(azure, "GET", who="stranger")).body["error"]["code"] == "AuthorizationFailed"
    assert (await ask(azure, "PUT", body=secret("new"), who="reader")).status == 403
    assert (await ask(azure, "GET", f"{FLOW}-2")).body["error"]["code"] == "ResourceNotFound"
    assert (await ask(azure, "GET", FLOW.replace("resourceGroups", "resourcegroups").replace("flow", "FLOW"))).status
    elsewhere = await ask(azure, "PUT", body=secret("new", location="eastus"))
    assert (elsewhere.status, elsewhere.body["error"]["code"]) == (409, "InvalidResourceLocation")
    assert (await ask(azure, "PUT", body={"location": "westeurope"})).body["error"]["code"] == "InvalidRequestContent"
    url = f"{azure.cloud.url('management')}{FLOW}?api-version=2019-05-02"
    strange = await azure.call("GET", url, token=azure.token("editor", "https://management.azure.com"))
    assert (strange.status, strange.body["error"]["code"]) == (400, "NoRegisteredProviderFound")


async def test_seeds_that_make_no_sense_are_refused(azure: Simulated) -> None:
    """A seeded parameter without a value, and a password of nobody, are named."""
    for part, said in (
        ({"definition": {"parameters": {"p": {"type": "SecureString"}}}}, "is not provided"),
        ({"secrets": {"p": {"password_of": "nobody"}}}, "workflows.odd.secrets"),
    ):
        answer = await azure.call("POST", f"{azure.control}/_sim/seed", body={"workflows": {"odd": part}})
        assert answer.status == 400
        assert said in answer.body["error"]
