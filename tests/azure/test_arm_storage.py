"""Storage accounts as careful clients and their published specification meet them, on both planes."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from local.azure.storage_account_signature import signature, string_to_sign
from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

SPEC = "arm-storage/specification/storage/resource-manager/Microsoft.Storage/stable/2023-05-01/storage.json"
VERSION = "2023-05-01"
GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/shop"
SHOP = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/shopdata"
KEY = base64.b64encode(b"k" * 64).decode()
DOCUMENT: dict[str, Any] = {
    "canary": "Zq8~abc-",
    "identities": {"contributor": {}, "operator": {}, "reader": {}, "outsider": {}},
    "storage_accounts": {
        "shopdata": {"resource_group": "shop", "keys": {"key1": {"value": KEY, "age_days": 5}}},
        "oldtimer": {"resource_group": "shop", "keys": {"key2": {"age_known": False}}},
        "keyless": {"resource_group": "shop", "allow_shared_key_access": False},
        "fenced": {"resource_group": "shop", "default_action": "Deny"},
        "private": {"resource_group": "shop", "public_network_access": "Disabled"},
        "locked": {"resource_group": "shop", "lock": "ReadOnly"},
        "files": {"resource_group": "shop", "kind": "FileStorage", "sku": "Premium_LRS"},
    },
    "role_assignments": [
        {"identity": "contributor", "role": "Storage Account Contributor", "scope": GROUP},
        {"identity": "operator", "role": "Storage Account Key Operator Service Role", "scope": SHOP},
        {"identity": "reader", "role": "Reader", "scope": SHOP},
    ],
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with storage accounts; regenerated keys are known everywhere at once."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        running.cloud.switches.set({"service": "storage-account", "propagation": {"seconds": 0}})
        yield running


async def arm(
    azure: Simulated,
    method: str,
    path: str,
    identity: str = "contributor",
    *,
    body: Any = None,
    version: str | None = VERSION,
) -> Answer:
    """Send one request to Azure Resource Manager."""
    url = azure.cloud.url("management") + path + (f"?api-version={version}" if version else "")
    return await azure.call(method, url, token=azure.token(identity, "https://management.azure.com"), body=body)


async def keys(azure: Simulated, account: str = SHOP) -> dict[str, dict[str, Any]]:
    """Return an account's keys by name."""
    return {key["keyName"]: key for key in (await arm(azure, "POST", f"{account}/listKeys")).body["keys"]}


async def signed(azure: Simulated, account: str, key: str, **headers: str) -> Answer:
    """Ask the blob service for its properties, signed with a key."""
    query = "restype=service&comp=properties"
    sent = {
        "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
        "x-ms-version": "2025-01-05",
        **headers,
    }
    given = signature(string_to_sign("GET", account, "/", query, sent), key)
    url = f"{azure.cloud.url(f'{account}.blob.storage')}/?{query}"
    return await azure.call("GET", url, headers={**sent, "Authorization": f"SharedKey {account}:{given}"})


async def test_an_account_says_when_its_keys_were_made(azure: Simulated) -> None:
    """Creation times are the account's and the keys'; shared keys are allowed while nothing is said of them."""
    read = (await arm(azure, "GET", SHOP)).body
    held = await keys(azure)
    assert read["id"] == SHOP
    assert read["properties"]["allowSharedKeyAccess"] is None
    assert read["properties"]["keyCreationTime"] == {name: key["creationTime"] for name, key in held.items()}
    assert held["key1"]["value"] == KEY
    created = datetime.fromisoformat(held["key1"]["creationTime"])
    assert abs(azure.cloud.clock.now() - timedelta(days=5) - created) < timedelta(minutes=1)


async def test_old_accounts_say_no_creation_time(azure: Simulated) -> None:
    """An account older than the property has null there."""
    account = SHOP.replace("shopdata", "oldtimer")
    assert (await arm(azure, "GET", account)).body["properties"]["keyCreationTime"]["key2"] is None
    assert (await keys(azure, account))["key2"]["creationTime"] is None


async def test_regenerating_replaces_one_key_at_once_and_again_each_time(azure: Simulated) -> None:
    """The answer has both keys, the other one as it was; asking once more makes yet another."""
    before = await keys(azure)
    answered = await arm(azure, "POST", f"{SHOP}/regenerateKey", body={"keyName": "key2"})
    first = {key["keyName"]: key for key in answered.body["keys"]}
    again = await arm(azure, "POST", f"{SHOP}/regenerateKey", body={"keyName": "key2"})
    second = {key["keyName"]: key for key in again.body["keys"]}
    assert (answered.status, again.status) == (200, 200)
    assert first["key1"] == second["key1"] == before["key1"]
    assert len({before["key2"]["value"], first["key2"]["value"], second["key2"]["value"]}) == 3
    assert before["key2"]["creationTime"] < first["key2"]["creationTime"] < second["key2"]["creationTime"]
    assert await keys(azure) == second


async def test_keys_are_64_bytes_and_begin_with_the_canary(azure: Simulated) -> None:
    """A key has the form of real ones, and can be told from other text."""
    value = (await keys(azure))["key2"]["value"]
    assert len(base64.b64decode(value)) == 64
    assert value.startswith("Zq8abc")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"keyName": "key3"}, "StorageAccountKeyNameNotValid"),
        ({"keyName": ""}, "StorageAccountKeyNameNotValid"),
        ({}, "InvalidRequestContent"),
        (None, "InvalidRequestContent"),
    ],
)
async def test_wrong_key_names_change_nothing(azure: Simulated, body: Any, code: str) -> None:
    """A key that there isn't can't be regenerated."""
    before = await keys(azure)
    answer = await arm(azure, "POST", f"{SHOP}/regenerateKey", body=body)
    assert (answer.status, answer.body["error"]["code"]) == (400, code)
    assert await keys(azure) == before


@pytest.mark.parametrize(
    ("identity", "allowed"),
    [
        ("contributor", {"read", "listKeys", "regenerateKey"}),
        ("operator", {"listKeys", "regenerateKey"}),
        ("reader", {"read"}),
        ("outsider", set()),
    ],
)
async def test_each_operation_needs_its_action(azure: Simulated, identity: str, allowed: set[str]) -> None:
    """A role lets in where it has the action; the key operator's role has no read, the reader's no keys."""
    answers = {
        "read": await arm(azure, "GET", SHOP, identity),
        "listKeys": await arm(azure, "POST", f"{SHOP}/listKeys", identity),
        "regenerateKey": await arm(azure, "POST", f"{SHOP}/regenerateKey", identity, body={"keyName": "key2"}),
    }
    assert {name for name, answer in answers.items() if answer.status == 200} == allowed
    refused = [answer.body["error"]["code"] for answer in answers.values() if answer.status != 200]
    assert set(refused) <= {"AuthorizationFailed"}


async def test_ids_are_read_in_any_case(azure: Simulated) -> None:
    """The service reads its paths without regard to case and answers the id as it was made."""
    answer = await arm(azure, "GET", SHOP.upper().replace("SUBSCRIPTIONS", "subscriptions"))
    assert (answer.status, answer.body["id"]) == (200, SHOP)


@pytest.mark.parametrize(
    "path", [SHOP.replace("shopdata", "nobodys"), SHOP.replace("resourceGroups/shop", "resourceGroups/shop2")]
)
async def test_accounts_that_are_not_there(azure: Simulated, path: str) -> None:
    """An unknown account, or a known one in another resource group, isn't there for whoever may look."""
    scope = path.partition("/providers/")[0]
    await azure.seed({"role_assignments": [{"identity": "contributor", "role": "Reader", "scope": scope}]})
    answer = await arm(azure, "GET", path)
    assert (answer.status, answer.body["error"]["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    ("version", "code"), [(None, "MissingApiVersionParameter"), ("1999-01-01", "NoRegisteredProviderFound")]
)
async def test_api_versions_are_checked(azure: Simulated, version: str | None, code: str) -> None:
    """A request names an api-version that the resource type has."""
    answer = await arm(azure, "GET", SHOP, version=version)
    assert (answer.status, answer.body["error"]["code"]) == (400, code)


async def test_a_read_only_lock_keeps_keys_from_being_listed(azure: Simulated) -> None:
    """Listing is a POST, and so refused as writing is; reading goes on."""
    account = SHOP.replace("shopdata", "locked")
    for operation in ("listKeys", "regenerateKey"):
        answer = await arm(azure, "POST", f"{account}/{operation}", body={"keyName": "key1"})
        assert (answer.status, answer.body["error"]["code"]) == (409, "ScopeLocked")
    assert (await arm(azure, "GET", account)).status == 200


@needs_contracts
async def test_answers_are_as_specified(azure: Simulated) -> None:
    """What is answered holds against the published specification."""
    query = {"api-version": VERSION}
    body = {"keyName": "key1"}
    validate_request(SPEC, "StorageAccounts_RegenerateKey", body, query)
    for operation, method, path, sent in (
        ("StorageAccounts_GetProperties", "GET", "", None),
        ("StorageAccounts_ListKeys", "POST", "/listKeys", None),
        ("StorageAccounts_RegenerateKey", "POST", "/regenerateKey", body),
    ):
        for account in ("shopdata", "oldtimer", "files"):
            answer = await arm(azure, method, SHOP.replace("shopdata", account) + path, body=sent)
            assert answer.status == 200
            validate_response(SPEC, operation, answer.status, _as_specified(answer.body))


def _as_specified(body: dict[str, Any]) -> dict[str, Any]:
    """The specification has `Full` where the service answers `FULL`."""
    fixed: dict[str, Any] = json.loads(json.dumps(body).replace('"FULL"', '"Full"'))
    return fixed


async def test_current_keys_are_let_in_and_no_others(azure: Simulated) -> None:
    """Each of the two keys signs; a replaced or foreign one, another account's name or an altered request doesn't."""
    held = await keys(azure)
    assert [(await signed(azure, "shopdata", key["value"])).status for key in held.values()] == [200, 200]
    await arm(azure, "POST", f"{SHOP}/regenerateKey", body={"keyName": "key1"})
    for key in (KEY, base64.b64encode(b"x" * 64).decode()):
        refused = await signed(azure, "shopdata", key)
        assert (refused.status, refused.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
    assert (await signed(azure, "oldtimer", held["key2"]["value"])).status == 403
    old = format_datetime(datetime.now(UTC) - timedelta(minutes=16), usegmt=True)
    assert (await signed(azure, "shopdata", held["key2"]["value"], **{"x-ms-date": old})).status == 403


async def test_a_regenerated_key_takes_a_while(azure: Simulated) -> None:
    """Until it is known everywhere, the replaced key is taken in its place; then it is the other way round."""
    azure.cloud.switches.set({"service": "storage-account", "propagation": {"seconds": 30}})
    await arm(azure, "POST", f"{SHOP}/regenerateKey", body={"keyName": "key1"})
    new = (await keys(azure))["key1"]["value"]
    assert [(await signed(azure, "shopdata", key)).status for key in (KEY, new)] == [200, 403]
    azure.cloud.clock.advance(timedelta(seconds=31))
    assert [(await signed(azure, "shopdata", key)).status for key in (KEY, new)] == [403, 200]


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ("keyless", "KeyBasedAuthenticationNotPermitted"),
        ("fenced", "AuthorizationFailure"),
        ("private", "AuthorizationFailure"),
    ],
)
async def test_accounts_that_let_no_key_in(azure: Simulated, account: str, code: str) -> None:
    """Where keys are switched off, or the network is kept out, the right key doesn't help."""
    value = (await keys(azure, SHOP.replace("shopdata", account)))["key1"]["value"]
    answer = await signed(azure, account, value)
    assert (answer.status, answer.headers["x-ms-error-code"]) == (403, code)


async def test_strangers_are_asked_who_they_are(azure: Simulated) -> None:
    """Without a signature, or with a token, there is no way in."""
    url = f"{azure.cloud.url('shopdata.blob.storage')}/?comp=list"
    answer = await azure.call("GET", url)
    assert (answer.status, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")


async def test_the_real_client_is_let_in(azure: Simulated) -> None:
    """The unmodified SDK lists containers and reads properties with a key, and is refused with another."""

    async def ask(key: str) -> Any:
        context = ssl.create_default_context(cafile=azure.ca)
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        credential = {"account_name": "shopdata", "account_key": key}
        transport = AioHttpTransport(session=session, session_owner=True)
        origin = azure.cloud.url("shopdata.blob.storage")
        async with BlobServiceClient(origin, credential, transport=transport, retry_total=0) as client:
            containers = [container async for container in client.list_containers()]
            return containers, await client.get_service_properties()

    containers, properties = await ask(KEY)
    assert containers == []
    assert properties["cors"] == []
    with pytest.raises(ClientAuthenticationError) as caught:
        await ask(base64.b64encode(b"x" * 64).decode())
    assert "AuthenticationFailed" in str(caught.value)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"storage_accounts": {"Shop": {}}}, "storage_accounts.Shop"),
        ({"storage_accounts": {"shop2": {"keys": {"key3": {}}}}}, "storage_accounts.shop2.keys"),
        ({"storage_accounts": {"shop2": {"lock": "Writes"}}}, "storage_accounts.shop2.lock: got 'Writes'"),
        ({"role_assignments": [{"identity": "reader", "role": "King", "scope": "/"}]}, "role_assignments.0.role"),
    ],
)
async def test_a_wrong_seed_says_where(azure: Simulated, document: Any, sentence: str) -> None:
    """A seed that can't be taken names field and value."""
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body=document)
    assert answer.status == 400
    assert sentence in answer.body["error"]
