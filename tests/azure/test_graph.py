"""Microsoft Graph as its unmodified SDK and its published specification meet it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.applications.item.add_password.add_password_post_request_body import AddPasswordPostRequestBody
from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
    RemovePasswordPostRequestBody,
)
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.user import User
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from local.azure.tokens import Subject
from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, StaticCredential, simulated

SPEC = "msgraph-v1.0/openapi-subset.json"
DOCUMENT: dict[str, Any] = {
    "canary": "CANARY",
    "identities": {
        "rekey": {"app_roles": ["Application.ReadWrite.OwnedBy"]},
        "reader": {"app_roles": ["Application.Read.All", "User.Read.All", "Policy.Read.All"]},
        "admin": {"app_roles": ["Application.ReadWrite.All"]},
        "nobody": {},
    },
    "applications": {
        "owned": {
            "owners": ["rekey", {"user_principal_name": "ann@contoso.example", "mail": "ann@contoso.example"}],
            "passwords": [{"display_name": "by hand", "days": 20}],
        },
        "other": {"passwords": [{"days": 20}]},
        "personal": {
            "owners": ["rekey"],
            "sign_in_audience": "AzureADandPersonalMicrosoftAccount",
            "passwords": [{"days": 20}, {"days": 40}],
        },
    },
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with three applications; reads don't lag and writes don't conflict unless a test says so."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        await switch(running, {"seconds": 0, "conflict_seconds": 0})
        yield running


async def switch(azure: Simulated, propagation: dict[str, float]) -> None:
    """Set Graph's delays."""
    await azure.call("POST", f"{azure.control}/_sim/faults", body={"service": "graph", "propagation": propagation})


def graph_token(azure: Simulated, identity: str) -> str:
    """Return a token for Graph with the identity's roles."""
    found = azure.cloud.directory.identity(identity)
    audience = azure.cloud.url("graph")
    subject = Subject(azure.cloud.tenant, found.client_id, found.object_id, audience, found.app_roles)
    return azure.cloud.tokens.issue(subject, 3600)


async def ask(azure: Simulated, method: str, path: str, identity: str = "rekey", **options: Any) -> Answer:
    """Send one request to Graph."""
    url = f"{azure.cloud.url('graph')}/v1.0{path}"
    return await azure.call(method, url, token=graph_token(azure, identity), **options)


def object_id(azure: Simulated, name: str = "owned") -> str:
    """Return an application's object id."""
    return azure.cloud.directory.application(name).object_id


async def add(azure: Simulated, name: str = "owned", identity: str = "rekey", **credential: Any) -> Answer:
    """Add a password."""
    path = f"/applications/{object_id(azure, name)}/addPassword"
    return await ask(azure, "POST", path, identity, body={"passwordCredential": credential})


async def remove(azure: Simulated, key_id: str, name: str = "owned", identity: str = "rekey") -> Answer:
    """Remove a password."""
    path = f"/applications/{object_id(azure, name)}/removePassword"
    return await ask(azure, "POST", path, identity, body={"keyId": key_id})


async def key_ids(azure: Simulated, name: str = "owned") -> list[str]:
    """Return the key ids that a read shows now."""
    answer = await ask(azure, "GET", f"/applications/{object_id(azure, name)}?$select=passwordCredentials")
    return [credential["keyId"] for credential in answer.body["passwordCredentials"]]


@contextlib.asynccontextmanager
async def sdk(azure: Simulated, identity: str = "rekey") -> AsyncIterator[GraphServiceClient]:
    """Return the SDK's client as it comes, but for host and certificate."""
    provider = AzureIdentityAuthenticationProvider(
        StaticCredential(graph_token(azure, identity)),
        scopes=[f"{azure.cloud.url('graph')}/.default"],
        allowed_hosts=[f"graph.localhost:{azure.cloud.port}", "graph.localhost"],
    )
    # Kiota wraps the transport and never closes the one inside, so it is held here.
    transport = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=azure.ca))
    async with transport, httpx.AsyncClient(transport=transport) as plain:
        client = GraphClientFactory.create_with_default_middleware(client=plain)
        adapter = GraphRequestAdapter(provider, client=client)
        adapter.base_url = f"{azure.cloud.url('graph')}/v1.0"
        yield GraphServiceClient(request_adapter=adapter)


async def test_sdk_round_trip(azure: Simulated) -> None:
    """The unmodified SDK finds an application, adds a password, sees it listed without its value, and removes it."""
    app = azure.cloud.directory.application("owned")
    query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(filter=f"appId eq '{app.app_id}'")
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=90)
    async with sdk(azure) as client:
        configuration = RequestConfiguration(query_parameters=query)
        page = await client.applications.get(request_configuration=configuration)
        assert page is not None
        assert [found.id for found in page.value or []] == [app.object_id]
        item = client.applications.by_application_id(app.object_id)
        wanted = PasswordCredential(display_name="made by sdk", end_date_time=expires)
        added = await item.add_password.post(AddPasswordPostRequestBody(password_credential=wanted))
        assert added is not None
        assert (added.secret_text or "").startswith("CANARY")
        assert added.end_date_time == expires
        seen = await item.get()
        assert seen is not None
        listed = {one.key_id: one for one in seen.password_credentials or []}
        assert listed[added.key_id].secret_text is None
        assert listed[added.key_id].hint == (added.secret_text or "")[:3]
        await item.remove_password.post(RemovePasswordPostRequestBody(key_id=added.key_id))
    assert str(added.key_id) not in await key_ids(azure)


async def test_sdk_meets_the_real_refusal(azure: Simulated) -> None:
    """The SDK turns a refusal into its own error with Graph's code."""
    async with sdk(azure) as client:
        item = client.applications.by_application_id(object_id(azure, "other"))
        with pytest.raises(ODataError) as refused:
            await item.add_password.post(AddPasswordPostRequestBody())
    assert refused.value.error is not None
    assert refused.value.error.code == "Authorization_RequestDenied"
    assert refused.value.response_status_code == 403


async def test_owners_under_owned_by_have_no_address(azure: Simulated) -> None:
    """OwnedBy alone gets an owner's id and type, nothing else; with User.Read.All the address is there."""
    for identity, mail in (("rekey", None), ("reader", "ann@contoso.example")):
        async with sdk(azure, identity) as client:
            page = await client.applications.by_application_id(object_id(azure)).owners.get()
        assert page is not None
        users = [owner for owner in page.value or [] if isinstance(owner, User)]
        assert [(user.mail, user.user_principal_name) for user in users] == [(mail, mail)]
        assert users[0].id


@needs_contracts
async def test_answers_match_the_specification(azure: Simulated) -> None:
    """What Graph answers to each operation has the shape that it publishes."""
    ref, principal = object_id(azure), azure.cloud.directory.identity("rekey").object_id
    for path, operation in [
        ("/applications", "/applications"),
        (f"/applications/{ref}", "/applications/id"),
        (f"/applications/{ref}?$expand=owners", "/applications/id"),
        (f"/applications/{ref}/owners", "/applications/id/owners"),
        ("/servicePrincipals", "/servicePrincipals"),
        (f"/servicePrincipals/{principal}", "/servicePrincipals/id"),
        (f"/servicePrincipals/{principal}/ownedObjects", "/servicePrincipals/id/ownedObjects"),
    ]:
        answer = await ask(azure, "GET", path)
        assert answer.status == 200, path
        validate_response(SPEC, f"GET {operation}", 200, answer.body)
    missing = await ask(azure, "GET", "/applications/7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11")
    assert (missing.status, missing.body["error"]["code"]) == (404, "Request_ResourceNotFound")
    validate_response(SPEC, "GET /applications/id", 404, missing.body)


@needs_contracts
async def test_writes_match_the_specification(azure: Simulated) -> None:
    """AddPassword takes and gives what is published, and answers 200; removePassword answers 204 without a body."""
    operation = "POST /applications/id/microsoft.graph.addPassword"
    body = {"passwordCredential": {"displayName": "new", "endDateTime": "2998-01-01T00:00:00Z"}}
    validate_request(SPEC, operation, body)
    added = await ask(azure, "POST", f"/applications/{object_id(azure)}/microsoft.graph.addPassword", body=body)
    assert added.status == 200
    validate_response(SPEC, operation, 200, added.body)
    removed = await remove(azure, added.body["keyId"])
    assert (removed.status, removed.body) == (204, "")


async def test_a_password_lives_two_years_by_default(azure: Simulated) -> None:
    """Without an end date a password ends in two years."""
    added = (await add(azure)).body
    end = datetime.fromisoformat(added["endDateTime"])
    assert end - datetime.fromisoformat(added["startDateTime"]) == timedelta(days=730)


@pytest.mark.parametrize(
    "credential",
    [
        {"endDateTime": "2001-01-01T00:00:00Z"},
        {"startDateTime": "2990-01-01T00:00:00Z", "endDateTime": "2989-01-01T00:00:00Z"},
        {"endDateTime": "tomorrow"},
        {"secretText": "chosen by the caller"},
    ],
)
async def test_bad_password_requests(azure: Simulated, credential: dict[str, Any]) -> None:
    """Dates that can't be and values that callers may not choose are a 400, and nothing is made."""
    answer = await add(azure, **credential)
    assert (answer.status, answer.body["error"]["code"]) == (400, "Request_BadRequest")
    assert len(await key_ids(azure)) == 1


@pytest.mark.parametrize(
    ("identity", "name", "status"),
    [("rekey", "owned", 200), ("rekey", "other", 403), ("admin", "other", 200), ("reader", "owned", 403)],
)
async def test_who_may_write(azure: Simulated, identity: str, name: str, status: int) -> None:
    """OwnedBy writes to what it owns, ReadWrite.All to everything, a reader to nothing."""
    assert (await add(azure, name, identity)).status == status


async def test_who_may_read(azure: Simulated) -> None:
    """OwnedBy reads every application, its list isn't narrowed; without a role nothing is read."""
    assert len((await ask(azure, "GET", "/applications")).body["value"]) == 3
    assert (await ask(azure, "GET", "/applications", "nobody")).status == 403
    assert (await ask(azure, "GET", "/policies/defaultAppManagementPolicy")).status == 403
    assert (await ask(azure, "GET", "/policies/defaultAppManagementPolicy", "reader")).status == 200


async def test_a_token_for_another_service_is_refused(azure: Simulated) -> None:
    """A vault's token doesn't open Graph."""
    token = azure.token("rekey", "https://vault.azure.net")
    answer = await azure.call("GET", f"{azure.cloud.url('graph')}/v1.0/applications", token=token)
    assert (answer.status, answer.body["error"]["code"]) == (401, "InvalidAuthenticationToken")


async def test_removing_what_is_not_there(azure: Simulated) -> None:
    """Removing an unknown key id is a 400 with the sentence that programs look for."""
    answer = await remove(azure, "7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11")
    assert answer.status == 400
    assert answer.body["error"]["message"].startswith("No password credential found with keyId")


async def test_removing_right_after_adding_conflicts(azure: Simulated) -> None:
    """RemovePassword soon after addPassword is a 409 until the directory has settled."""
    await switch(azure, {"seconds": 0, "conflict_seconds": 60})
    added = (await add(azure)).body
    answer = await remove(azure, added["keyId"])
    assert (answer.status, answer.body["error"]["code"]) == (409, "Directory_ConcurrencyViolation")
    azure.cloud.clock.advance(timedelta(seconds=61))
    assert (await remove(azure, added["keyId"])).status == 204


async def test_concurrent_writes_conflict(azure: Simulated) -> None:
    """Of two writes to one application at once only one is done; writes to different ones don't meet."""
    answers = await asyncio.gather(add(azure), add(azure))
    assert sorted(answer.status for answer in answers) == [200, 409]
    assert len(await key_ids(azure)) == 2
    answers = await asyncio.gather(add(azure, identity="admin"), add(azure, "other", identity="admin"))
    assert [answer.status for answer in answers] == [200, 200]


async def test_reads_lag_writes(azure: Simulated) -> None:
    """A new password isn't listed, and a removed one still is, until replication is over."""
    before = await key_ids(azure)
    await switch(azure, {"seconds": 60, "conflict_seconds": 0})
    added = (await add(azure)).body["keyId"]
    assert (await remove(azure, before[0])).status == 204
    assert await key_ids(azure) == before
    azure.cloud.clock.advance(timedelta(seconds=61))
    assert await key_ids(azure) == [added]


async def test_personal_audience_holds_two(azure: Simulated) -> None:
    """An application open to personal accounts has no room for a third password."""
    answer = await add(azure, "personal")
    assert answer.status == 400
    assert "the credential limit has been reached" in answer.body["error"]["message"]


@pytest.mark.parametrize(
    ("restriction", "days", "code"),
    [
        ({"restrictionType": "passwordAddition"}, 10, "CredentialTypeNotAllowedAsPerAppPolicy"),
        ({"restrictionType": "passwordLifetime", "maxLifetime": "P90D"}, 91, "CredentialInvalidLifetimeAsPerAppPolicy"),
        ({"restrictionType": "passwordLifetime", "maxLifetime": "P90D"}, 89, None),
        ({"restrictionType": "passwordAddition", "state": "disabled"}, 10, None),
        (
            {"restrictionType": "passwordAddition", "restrictForAppsCreatedAfterDateTime": "2999-01-01T00:00:00Z"},
            10,
            None,
        ),
    ],
)
async def test_app_management_policy(
    azure: Simulated, restriction: dict[str, Any], days: int, code: str | None
) -> None:
    """The tenant's policy forbids passwords or caps their life, unless it is off or the application is older."""
    await azure.seed({"policy": {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [restriction]}}})
    end = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    answer = await add(azure, endDateTime=end)
    assert answer.status == (400 if code else 200)
    assert answer.body.get("error", {}).get("code") == code
    shown = (await ask(azure, "GET", "/policies/defaultAppManagementPolicy", "reader")).body
    told = shown["applicationRestrictions"]["passwordCredentials"][0]
    assert told["restrictionType"] == restriction["restrictionType"]


async def test_write_limit(azure: Simulated) -> None:
    """Beyond the limit writes are a 429 with Retry-After; after that time they work again."""
    limits = {"service": "graph", "limits": {"scale": 0.001}}
    await azure.call("POST", f"{azure.control}/_sim/faults", body=limits)
    statuses = [(await add(azure, identity="admin")).status for _ in range(3)]
    assert statuses == [200, 200, 200]
    refused = await add(azure, identity="admin")
    assert (refused.status, refused.body["error"]["code"]) == (429, "TooManyRequests")
    azure.cloud.clock.advance(timedelta(seconds=int(refused.headers["Retry-After"])))
    assert (await add(azure, identity="admin")).status == 200


async def test_write_limit_in_a_shorter_window(azure: Simulated) -> None:
    """A window of another length frees its places that much sooner."""
    azure.cloud.switches.set({"service": "graph", "limits": {"scale": 0.001, "seconds": 4}})
    assert [(await add(azure, identity="admin")).status for _ in range(4)] == [200, 200, 200, 429]
    azure.cloud.clock.advance(timedelta(seconds=5))
    assert (await add(azure, identity="admin")).status == 200


async def test_paging_and_options(azure: Simulated) -> None:
    """Pages are linked until the last, options are obeyed, unknown ones refused."""
    first = (await ask(azure, "GET", "/applications?$top=2&$select=id,appId&$count=true")).body
    assert first["@odata.count"] == 3
    assert all(entity.keys() == {"id", "appId"} for entity in first["value"])
    second = (await azure.call("GET", first["@odata.nextLink"], token=graph_token(azure, "rekey"))).body
    assert "@odata.nextLink" not in second
    assert len(first["value"] + second["value"]) == 3
    assert (await ask(azure, "GET", "/applications?$select=colour")).status == 400
    assert (await ask(azure, "GET", "/applications?$filter=startswith(displayName,'o')")).status == 400


async def test_alternate_keys_and_owned_objects(azure: Simulated) -> None:
    """Objects answer by client id too; an identity's owned objects are what it owns."""
    app = azure.cloud.directory.application("owned")
    identity = azure.cloud.directory.identity("rekey")
    assert (await ask(azure, "GET", f"/applications(appId='{app.app_id}')")).body["id"] == app.object_id
    principal = (await ask(azure, "GET", f"/servicePrincipals?$filter=appId eq '{identity.client_id}'")).body["value"][
        0
    ]
    owned = (await ask(azure, "GET", f"/servicePrincipals/{principal['id']}/ownedObjects")).body["value"]
    assert sorted(one["displayName"] for one in owned) == ["owned", "personal"]


async def test_refusals_carry_the_request_id(azure: Simulated) -> None:
    """A refusal tells the caller's own request id back."""
    headers = {"client-request-id": "7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11"}
    answer = await ask(azure, "GET", "/applications/none", headers=headers)
    assert answer.body["error"]["innerError"]["client-request-id"] == headers["client-request-id"]
