"""Azure DevOps' service connections as a careful client and their published specification meet them."""

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.azure.contracts import needs_contracts, validate_definition, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
NAMESPACE = "49b48001-ca20-4adc-8111-5b60c903a50c"
SPEC = "azure-devops/specification/serviceEndpoint/7.1/serviceEndpoint.json"
PREVIEW_SPEC = "azure-devops/specification/serviceEndpoint/7.2/serviceEndpoint.json"
CORE = "azure-devops/specification/core/7.1/core.json"
DOCUMENT: dict[str, Any] = {
    "identities": {"admin": {}, "user": {}, "viewer": {}, "outsider": {}},
    "applications": {"app": {"passwords": [{}, {"days": -1}]}},
    "organizations": {
        "contoso": {
            "members": {
                "admin": {"projects": {"Web": ["administer"], "Other": ["view"]}},
                "user": {"projects": {"Web": ["use"]}},
                "viewer": {"projects": {"Web": ["view"]}},
            },
            "projects": {
                "Web": {
                    "endpoints": {
                        "prod": {"application": "app", "extra": {"fromTheFuture": {"a": [1]}}},
                        "stale": {"application": "app", "password_index": 1, "shared_with": ["Other"]},
                        "managed": {"application": "app", "creation_mode": "Automatic"},
                    }
                },
                "Other": {},
                "Secret": {},
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


async def call(
    azure: Simulated, method: str, path: str, identity: str = "admin", *, body: Any = None, version: str = "7.1"
) -> Answer:
    """Send one request to the organisation."""
    separator = "&" if "?" in path else "?"
    where = f"{azure.cloud.url('azuredevops')}/contoso{path}{separator}api-version={version}"
    return await azure.call(method, where, token=azure.token(identity, RESOURCE), body=body)


async def named(azure: Simulated, name: str, version: str = "7.1") -> Any:
    """Return a connection as the list by name shows it."""
    found = await call(azure, "GET", f"/Web/_apis/serviceendpoint/endpoints?endpointNames={name}", version=version)
    assert (found.status, found.body["count"]) == (200, 1)
    return found.body["value"][0]


async def put(azure: Simulated, body: dict[str, Any], identity: str = "admin", where: str = "") -> Answer:
    """PUT a connection."""
    path = f"/_apis/serviceendpoint/endpoints/{where or body['id']}"
    return await call(azure, "PUT", path, identity, body=body)


def with_key(endpoint: dict[str, Any], key: str | None) -> dict[str, Any]:
    """Return a connection with a key to be stored."""
    changed = deepcopy(endpoint)
    changed["authorization"]["parameters"]["serviceprincipalkey"] = key
    return changed


def stored(azure: Simulated, name: str = "prod") -> Any:
    """Return what the state tells of a connection."""
    return azure.cloud.azuredevops.state()["organizations"]["contoso"]["projects"]["Web"]["endpoints"][name]


async def verify(azure: Simulated, endpoint_id: str, identity: str = "admin", **body: Any) -> Answer:
    """Let Azure DevOps test a connection."""
    source = {"dataSourceDetails": {"dataSourceName": "TestConnection"}, "resultTransformationDetails": {}}
    path = f"/Web/_apis/serviceendpoint/endpointproxy?endpointId={endpoint_id}"
    return await call(azure, "POST", path, identity, body=source | body)


async def test_keys_are_never_shown(azure: Simulated) -> None:
    """Neither the list nor the single GET shows the key, which is stored."""
    listed = await named(azure, "prod")
    single = await call(azure, "GET", f"/Web/_apis/serviceendpoint/endpoints/{listed['id']}")
    for endpoint in (listed, single.body):
        assert endpoint["authorization"]["parameters"]["serviceprincipalkey"] is None
    password = azure.cloud.directory.password_value("app", 0)
    assert stored(azure)["secrets"] == {"serviceprincipalkey": password}


async def test_new_key_is_stored_and_everything_else_kept(azure: Simulated) -> None:
    """A merged PUT changes the key and nothing else, fields from the future included."""
    before = await named(azure, "prod")
    answer = await put(azure, with_key(before, "new key"))
    assert (answer.status, answer.body) == (200, before)
    assert stored(azure)["secrets"] == {"serviceprincipalkey": "new key"}
    assert [(u["by"], u["key_changed"]) for u in stored(azure)["updates"]] == [
        (azure.cloud.directory.identity("admin").client_id, True)
    ]
    assert (await named(azure, "prod"))["fromTheFuture"] == {"a": [1]}


@pytest.mark.parametrize(
    "field", ["id", "name", "type", "url", "authorization", "data", "serviceEndpointProjectReferences"]
)
async def test_put_needs_the_whole_connection(azure: Simulated, field: str) -> None:
    """Without one of its parts a PUT is a 400 that names it, and nothing changes."""
    before = await named(azure, "prod")
    body = {name: value for name, value in with_key(before, "x").items() if name != field}
    answer = await put(azure, body, where=before["id"])
    assert (answer.status, answer.body["typeKey"]) == (400, "ArgumentNullException")
    assert f"endpoint.{field}" in answer.body["message"]
    assert stored(azure)["updates"] == []


@pytest.mark.parametrize(
    ("switch", "status", "kept"), [("clears", 200, False), ("keeps", 200, True), ("refuses", 400, True)]
)
async def test_null_key_is_a_switch(azure: Simulated, switch: str, status: int, kept: bool) -> None:  # noqa: FBT001 - a table
    """What a PUT with a null key does isn't documented: all three possibilities can be tried."""
    await azure.seed({"organizations": {"contoso": {"null_key": switch}}})
    answer = await put(azure, await named(azure, "prod"))
    assert answer.status == status
    assert bool(stored(azure)["secrets"]["serviceprincipalkey"]) is kept


async def test_automatic_connection_takes_no_key(azure: Simulated) -> None:
    """A connection made automatically has to become Manual to hold a key of one's own."""
    managed = with_key(await named(azure, "managed"), "own")
    assert (await put(azure, managed)).status == 400
    managed["data"]["creationMode"] = "Manual"
    assert (await put(azure, managed)).status == 200


@pytest.mark.parametrize("identity", ["user", "viewer"])
async def test_put_needs_administrator(azure: Simulated, identity: str) -> None:
    """Whoever may only see or use a connection can't change it."""
    answer = await put(azure, with_key(await named(azure, "prod"), "x"), identity)
    assert (answer.status, answer.body["typeKey"]) == (403, "AccessCheckException")
    assert stored(azure)["updates"] == []


async def test_connection_signs_in_with_its_stored_key(azure: Simulated) -> None:
    """TestConnection is fine with a valid password."""
    answer = await verify(azure, (await named(azure, "prod"))["id"], "user")
    assert (answer.status, answer.body["statusCode"], answer.body["errorMessage"]) == (200, "ok", "")


@pytest.mark.parametrize(("key", "code"), [("wrong", "AADSTS7000215"), (None, "AADSTS7000216")])
async def test_failed_sign_in_is_a_result_with_entras_words(azure: Simulated, key: str | None, code: str) -> None:
    """A key that doesn't work is HTTP 200 with an inner badRequest and Entra's own code."""
    await put(azure, with_key(await named(azure, "prod"), key))
    answer = await verify(azure, (await named(azure, "prod"))["id"])
    assert (answer.status, answer.body["statusCode"]) == (200, "badRequest")
    assert code in answer.body["errorMessage"]


async def test_expired_password_fails_the_test(azure: Simulated) -> None:
    """A connection that holds an expired password is told so."""
    answer = await verify(azure, (await named(azure, "stale"))["id"])
    assert "AADSTS7000222" in answer.body["errorMessage"]


async def test_removed_password_fails_the_test(azure: Simulated) -> None:
    """Once the password is removed from the application the connection can't sign in any more."""
    application = azure.cloud.directory.application("app")
    azure.cloud.directory.remove_password(application, application.passwords[0].key_id)
    answer = await verify(azure, (await named(azure, "prod"))["id"])
    assert "AADSTS7000215" in answer.body["errorMessage"]


async def test_edited_details_are_tested_without_being_stored(azure: Simulated) -> None:
    """Details in the request go before what is stored; that takes Administrator."""
    endpoint = await named(azure, "prod")
    details = {"authorization": {"scheme": "ServicePrincipal", "parameters": {"serviceprincipalkey": "wrong"}}}
    answer = await verify(azure, endpoint["id"], serviceEndpointDetails=details)
    refused = await verify(azure, endpoint["id"], "user", serviceEndpointDetails=details)
    assert (answer.body["statusCode"], refused.status) == ("badRequest", 403)
    assert stored(azure)["secrets"]["serviceprincipalkey"] != "wrong"


async def test_unknown_connection_is_null_in_a_get_and_404_in_a_put(azure: Simulated) -> None:
    """A GET of what isn't there is 200 with null, as the real service answers."""
    endpoint, unknown = await named(azure, "prod"), "00000000-0000-0000-0000-000000000000"
    found = await call(azure, "GET", f"/Web/_apis/serviceendpoint/endpoints/{unknown}")
    assert (found.status, found.body) == (200, None)
    assert (await put(azure, endpoint | {"id": unknown})).status == 404
    assert (await verify(azure, unknown)).status == 404


async def test_no_token_is_a_sign_in_page_that_looks_like_success(azure: Simulated) -> None:
    """A missing or made-up token gets HTML with a 2xx status."""
    where = f"{azure.cloud.url('azuredevops')}/contoso/_apis/projects"
    for token in (None, "nonsense"):
        answer = await azure.call("GET", where, token=token)
        assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (203, "text/html")


async def test_token_for_another_audience_is_unauthorized(azure: Simulated) -> None:
    """A genuine token for something else is a 401."""
    where = f"{azure.cloud.url('azuredevops')}/contoso/_apis/projects"
    answer = await azure.call("GET", where, token=azure.token("admin", azure.cloud.url("graph")))
    assert (answer.status, "TF400813" in answer.body["message"]) == (401, True)


async def test_only_members_are_let_in(azure: Simulated) -> None:
    """An identity that isn't a member of the organisation is unauthorized."""
    answer = await call(azure, "GET", "/_apis/projects", "outsider")
    assert (answer.status, "TF400813" in answer.body["message"]) == (401, True)


async def test_projects_one_may_not_know_of_do_not_exist(azure: Simulated) -> None:
    """Projects without rights are absent from the list, and a 404 by name and by id."""
    listed = await call(azure, "GET", "/_apis/projects")
    assert [project["name"] for project in listed.body["value"]] == ["Web", "Other"]
    hidden = azure.cloud.azuredevops.organizations["contoso"].projects["secret"]
    answers = [await call(azure, "GET", f"/{p}/_apis/serviceendpoint/endpoints") for p in ("Secret", hidden.id)]
    codes = [(answer.status, answer.body["message"].partition(":")[0]) for answer in answers]
    assert codes == [(404, "TF200016"), (404, "VS800075")]


async def test_shared_connection_shows_in_both_projects(azure: Simulated) -> None:
    """A shared connection is one object in two projects, changed with the owning project's rights only."""
    endpoint = await named(azure, "stale")
    other = await call(azure, "GET", "/Other/_apis/serviceendpoint/endpoints?endpointNames=stale")
    assert [found["id"] for found in other.body["value"]] == [endpoint["id"]]
    names = [reference["projectReference"]["name"] for reference in endpoint["serviceEndpointProjectReferences"]]
    assert (endpoint["isShared"], names) == (True, ["Web", "Other"])


@pytest.mark.parametrize(
    ("identity", "bits", "expected"), [("admin", 2, True), ("admin", 3, True), ("user", 1, True), ("user", 2, False)]
)
async def test_permissions_can_be_asked_for(azure: Simulated, identity: str, bits: int, expected: bool) -> None:  # noqa: FBT001 - a table
    """The permissions API tells per token whether the caller has all the bits."""
    endpoint = await named(azure, "prod")
    project = endpoint["serviceEndpointProjectReferences"][0]["projectReference"]["id"]
    tokens = f"endpoints/{project}/{endpoint['id']}"
    answer = await call(azure, "GET", f"/_apis/permissions/{NAMESPACE}/{bits}?tokens={tokens}", identity)
    assert answer.body == {"count": 1, "value": [expected]}


@pytest.mark.parametrize(
    ("method", "version", "expected"),
    [
        ("GET", "7.2-preview.4", None),
        ("GET", "7.2", "VssInvalidPreviewVersionException"),
        ("GET", "9.0", "VssVersionOutOfRangeException"),
        ("PUT", "", "VssVersionNotSpecifiedException"),
    ],
)
async def test_api_versions_are_checked(azure: Simulated, method: str, version: str, expected: str | None) -> None:
    """A preview needs its flag, the future is out of range, and a write needs to say a version."""
    endpoint = await named(azure, "prod")
    scope = "/Web" if method == "GET" else ""
    path = f"/contoso{scope}/_apis/serviceendpoint/endpoints/{endpoint['id']}"
    where = azure.cloud.url("azuredevops") + path + (f"?api-version={version}" if version else "")
    body = None if method == "GET" else endpoint
    answer = await azure.call(method, where, token=azure.token("admin", RESOURCE), body=body)
    assert answer.body.get("typeKey") == expected


async def test_preview_has_more_fields(azure: Simulated) -> None:
    """7.2 tells dates and who changed it last; 7.1 doesn't."""
    assert "modificationDate" not in await named(azure, "prod")
    assert "modificationDate" in await named(azure, "prod", "7.2-preview.4")


async def test_slowed_down_answers_say_so(azure: Simulated) -> None:
    """Before it refuses, the service delays and tells by headers on a 200."""
    await azure.seed({"organizations": {"contoso": {"delay_seconds": 0.01}}})
    answer = await call(azure, "GET", "/_apis/projects")
    assert (answer.status, answer.headers["Retry-After"]) == (200, "1")
    assert all(f"X-RateLimit-{name}" in answer.headers for name in ("Resource", "Delay", "Remaining"))


@pytest.mark.parametrize(
    ("organization", "says"),
    [
        ({"members": {"nobody": {}}}, "organizations.contoso.members: got 'nobody'"),
        ({"members": {"admin": {"projects": {"None": ["view"]}}}}, "got 'None', expected one of"),
        ({"members": {"admin": {"projects": {"Web": ["own"]}}}}, "organizations.contoso.members.admin"),
        ({"projects": {"Web": {"endpoints": {"x": {"application": "none"}}}}}, "endpoints.x: no application"),
        ({"projects": {"Web": {"endpoints": {"x": {}}}}}, "application"),
        ({"null_key": "eats"}, "organizations.contoso.null_key: got 'eats'"),
    ],
)
async def test_bad_seed_names_field_and_value(azure: Simulated, organization: dict[str, Any], says: str) -> None:
    """A seed that is wrong is a 400 that says where."""
    document = {"organizations": {"contoso": organization}}
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body=document)
    assert answer.status == 400
    assert says in answer.body["error"]


@needs_contracts
async def test_answers_keep_to_the_specification(azure: Simulated) -> None:
    """Requests and answers are what the published specification allows, lists inside their wrapper."""
    endpoint = await named(azure, "prod")
    where, body = f"/_apis/serviceendpoint/endpoints/{endpoint['id']}", with_key(endpoint, "x")
    validate_request(SPEC, f"PUT /contoso{where}", body, {"api-version": "7.1"})
    answer = await put(azure, body)
    validate_response(SPEC, f"PUT /contoso{where}", answer.status, answer.body)
    single = await call(azure, "GET", f"/Web{where}")
    validate_response(SPEC, f"GET /contoso/Web{where}", single.status, single.body)
    preview = await named(azure, "prod", "7.2-preview.4")
    validate_definition(PREVIEW_SPEC, "ServiceEndpoint", preview)
    listed = await call(azure, "GET", "/Web/_apis/serviceendpoint/endpoints?endpointNames=prod")
    validate_response(SPEC, "Endpoints_Get Service Endpoints By Names", 200, listed.body["value"])
    result = await verify(azure, endpoint["id"])
    # `result` is any JSON: the specification calls it an object, its own example has a list.
    rest = {name: value for name, value in result.body.items() if name != "result"}
    validate_definition(SPEC, "ServiceEndpointRequestResult", rest)
    projects = await call(azure, "GET", "/_apis/projects")
    for project in projects.body["value"]:
        validate_definition(CORE, "TeamProjectReference", project)
