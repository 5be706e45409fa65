"""Key Vault as its unmodified SDK and its published specification meet it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.secrets.aio import SecretClient

from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, StaticCredential, simulated

SPEC = "keyvault-secrets-7.5/specification/keyvault/data-plane/Microsoft.KeyVault/stable/7.5/secrets.json"
DOCUMENT: dict[str, Any] = {
    "identities": {"officer": {}, "user": {}, "auditor": {}, "stranger": {}},
    "applications": {"app": {"passwords": [{"days": 20}]}},
    "vaults": {
        "kv": {
            "transition_seconds": 0.0,
            "roles": {
                "officer": "Key Vault Secrets Officer",
                "user": "Key Vault Secrets User",
                "auditor": "Key Vault Reader",
            },
            "secrets": {
                "seeded": {
                    "value": {"password_of": "app", "index": 0},
                    "tags": {"azureADAppName": "app"},
                    "expires_with_password": True,
                    "content_type": "text/plain",
                }
            },
        },
        "locked": {
            "transition_seconds": 0.0,
            "purge_protection": True,
            "retention_days": 90,
            "roles": {"officer": "Key Vault Secrets Officer"},
        },
    },
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with two vaults."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


def url(azure: Simulated, path: str, vault: str = "kv") -> str:
    """Return the address of an operation."""
    return f"{azure.cloud.url(f'{vault}.vault')}{path}{'&' if '?' in path else '?'}api-version=7.5"


def vault_token(azure: Simulated, identity: str = "officer") -> str:
    """Return a token for vaults."""
    return azure.token(identity, azure.cloud.url("vault"))


def sdk(azure: Simulated, vault: str = "kv", identity: str = "officer") -> SecretClient:
    """Return the SDK's client as it comes, but for the certificate it trusts."""
    credential = StaticCredential(vault_token(azure, identity))
    return SecretClient(azure.cloud.url(f"{vault}.vault"), credential, connection_verify=azure.ca, retry_total=0)


async def get(azure: Simulated, path: str, identity: str = "officer") -> Answer:
    """GET with a token."""
    return await azure.call("GET", url(azure, path), token=vault_token(azure, identity))


async def test_sdk_round_trip(azure: Simulated) -> None:
    """The unmodified SDK, its challenge verification on, sets, reads, lists and updates what it set."""
    expires = datetime(2030, 1, 2, tzinfo=UTC)
    async with sdk(azure) as client:
        made = await client.set_secret("name", "value", tags={"a": "b"}, expires_on=expires, content_type="text/plain")
        read = await client.get_secret("name")
        assert (read.value, read.properties.version) == ("value", made.properties.version)
        assert (read.properties.expires_on, read.properties.tags) == (expires, {"a": "b"})
        changed = await client.update_secret_properties("name", made.properties.version, tags={"c": "d"})
        assert (changed.tags, changed.content_type) == ({"c": "d"}, "text/plain")
        listed = [item.name async for item in client.list_properties_of_secrets()]
        assert listed == ["name", "seeded"]


async def test_seeded_secret_holds_the_application_s_password(azure: Simulated) -> None:
    """A seeded value can be an application's password, with its end as the expiry."""
    password = azure.cloud.directory.application("app").passwords[0]
    async with sdk(azure, identity="user") as client:
        read = await client.get_secret("seeded")
    assert read.value == password.value
    assert read.properties.expires_on == password.end.replace(microsecond=0)


async def test_challenge_names_authority_and_resource(azure: Simulated) -> None:
    """Without a token the answer is the challenge that SDKs start from."""
    answer = await azure.call("GET", url(azure, "/secrets/seeded"))
    authority = f"{azure.cloud.url('login')}/{azure.cloud.tenant}"
    expected = f'Bearer authorization="{authority}", resource="{azure.cloud.url("vault")}"'
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, expected)
    assert answer.body["error"]["code"] == "Unauthorized"


async def test_token_for_another_audience_is_refused(azure: Simulated) -> None:
    """A genuine token for Graph opens no vault."""
    token = azure.token("officer", azure.cloud.url("graph"))
    assert (await azure.call("GET", url(azure, "/secrets/seeded"), token=token)).status == 401


async def test_previous_version_only_in_newer_api_versions(azure: Simulated) -> None:
    """A version names the one before it from api-version 2025-07-01 on."""
    first = (await get(azure, "/secrets/seeded")).body["id"].rpartition("/")[2]
    token = vault_token(azure)
    await azure.call("PUT", url(azure, "/secrets/seeded"), token=token, body={"value": "second"})
    base = f"{azure.cloud.url('kv.vault')}/secrets/seeded?api-version="
    old = await azure.call("GET", base + "7.6", token=token)
    new = await azure.call("GET", base + "2026-04-01", token=token)
    assert "previousVersion" not in old.body
    assert new.body["previousVersion"] == first


async def test_versions_are_listed_by_id_and_latest_is_the_newest(azure: Simulated) -> None:
    """The list of versions is in order of their ids; an unversioned read gets the one stored last."""
    async with sdk(azure) as client:
        made = [(await client.set_secret("many", str(n))).properties.version for n in range(8)]
        listed = [item.version async for item in client.list_properties_of_secret_versions("many")]
        latest = await client.get_secret("many")
    assert listed == sorted(v for v in made if v)
    assert (latest.value, latest.properties.version) == ("7", made[-1])


async def test_disabled_latest_is_refused_without_falling_back(azure: Simulated) -> None:
    """When the newest version is disabled an unversioned read fails, though older ones are enabled."""
    async with sdk(azure) as client:
        first = await client.set_secret("two", "1")
        await client.set_secret("two", "2", enabled=False)
        with pytest.raises(HttpResponseError) as refused:
            await client.get_secret("two")
        older = await client.get_secret("two", first.properties.version)
    assert (refused.value.status_code, older.value) == (403, "1")
    error = json.loads(refused.value.response.text())["error"]  # type: ignore[union-attr]
    assert (error["code"], error["innererror"]["code"]) == ("Forbidden", "SecretDisabled")


async def test_expired_and_not_yet_valid_versions_are_served(azure: Simulated) -> None:
    """Expiry and not-before are information only."""
    async with sdk(azure) as client:
        await client.set_secret("past", "x", expires_on=datetime(2001, 1, 1, tzinfo=UTC))
        await client.set_secret("future", "y", not_before=datetime.now(UTC) + timedelta(days=9))
        assert [(await client.get_secret(name)).value for name in ("past", "future")] == ["x", "y"]


async def test_delete_recover_purge(azure: Simulated) -> None:
    """A deleted name can't be reused, comes back with all its versions, and is free once purged."""
    async with sdk(azure) as client:
        for value in ("1", "2"):
            await client.set_secret("gone", value)
        await client.delete_secret("gone")
        assert (await client.get_deleted_secret("gone")).recovery_id == f"{client.vault_url}/deletedsecrets/gone"
        with pytest.raises(ResourceNotFoundError):
            await client.get_secret("gone")
        with pytest.raises(ResourceExistsError, match="deleted but recoverable"):
            await client.set_secret("gone", "3")
        await client.recover_deleted_secret("gone")
        assert len([v async for v in client.list_properties_of_secret_versions("gone")]) == 2
        await client.delete_secret("gone")
        await client.purge_deleted_secret("gone")
        assert (await client.set_secret("gone", "4")).value == "4"
    assert azure.cloud.keyvault.state()["vaults"]["kv"]["purged"] == ["gone"]


async def test_deletion_takes_a_moment(azure: Simulated) -> None:
    """While a secret is being deleted neither its name nor its deleted form can be used."""
    azure.cloud.keyvault.vaults["kv"].transition_seconds = 3600.0
    token = vault_token(azure)
    assert (await azure.call("DELETE", url(azure, "/secrets/seeded"), token=token)).status == 200
    deleted = url(azure, "/deletedsecrets/seeded")
    assert (await azure.call("GET", deleted, token=token)).status == 404
    for method, where, body in (
        ("DELETE", deleted, None),
        ("PUT", url(azure, "/secrets/seeded"), {"value": "x"}),
    ):
        answer = await azure.call(method, where, token=token, body=body)
        inner = answer.body["error"]["innererror"]["code"]
        assert (answer.status, inner) == (409, "ObjectIsBeingDeleted")


async def test_purge_protection_refuses_purging(azure: Simulated) -> None:
    """Where purge protection is on, nobody purges, and the attributes say so."""
    async with sdk(azure, "locked") as client:
        made = await client.set_secret("kept", "x")
        await client.delete_secret("kept")
        with pytest.raises(HttpResponseError) as refused:
            await client.purge_deleted_secret("kept")
    assert (refused.value.status_code, made.properties.recovery_level) == (403, "Recoverable")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"value": "x", "tags": {str(n): "v" for n in range(16)}}, "Too many tags"),
        ({"value": "x", "tags": {"t": "v" * 257}}, "Tag t"),
        ({"value": "x", "tags": {"t" * 257: "v"}}, "Tag ttt"),
        ({"value": "x", "contentType": "c" * 256}, "content type"),
        ({"value": "x" * 25_601}, "too long"),
        ({"tags": {}}, "value"),
        ({"value": 5}, "value"),
    ],
)
async def test_limits_are_bad_parameters(azure: Simulated, body: dict[str, Any], says: str) -> None:
    """What exceeds the service's limits is a 400 BadParameter, and nothing is stored."""
    answer = await azure.call("PUT", url(azure, "/secrets/new"), token=vault_token(azure), body=body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "BadParameter")
    assert says in answer.body["error"]["message"]
    assert "new" not in azure.cloud.keyvault.vaults["kv"].secrets


async def test_largest_secret_is_stored(azure: Simulated) -> None:
    """What just keeps within the limits is accepted."""
    body = {
        "value": "x" * 25_600,
        "tags": {f"{n:0256}": "v" * 256 for n in range(15)},
        "contentType": "c" * 255,
    }
    validate = await azure.call("PUT", url(azure, "/secrets/new"), token=vault_token(azure), body=body)
    assert validate.status == 200


async def test_names_have_a_pattern(azure: Simulated) -> None:
    """A name with an underscore is refused."""
    answer = await azure.call("PUT", url(azure, "/secrets/a_b"), token=vault_token(azure), body={"value": "x"})
    assert "invalid name: a_b" in answer.body["error"]["message"]


@pytest.mark.parametrize(
    ("identity", "method", "path", "action"),
    [
        ("user", "PUT", "/secrets/seeded", "setSecret/action"),
        ("user", "DELETE", "/secrets/seeded", "delete"),
        ("auditor", "GET", "/secrets/seeded", "getSecret/action"),
        ("stranger", "GET", "/secrets", "readMetadata/action"),
        ("user", "DELETE", "/deletedsecrets/seeded", "purge/action"),
    ],
)
async def test_roles_are_enforced(azure: Simulated, identity: str, method: str, path: str, action: str) -> None:
    """Whoever lacks the data action gets ForbiddenByRbac, with the action in the message."""
    answer = await azure.call(method, url(azure, path), token=vault_token(azure, identity), body={"value": "x"})
    error = answer.body["error"]
    assert (answer.status, error["code"], error["innererror"]["code"]) == (
        403,
        "Forbidden",
        "ForbiddenByRbac",
    )
    assert f"'Microsoft.KeyVault/vaults/secrets/{action}'" in error["message"]
    assert azure.cloud.directory.identity(identity).object_id in error["message"]


async def test_reader_lists_without_values(azure: Simulated) -> None:
    """Key Vault Reader sees names and tags."""
    answer = await get(azure, "/secrets", "auditor")
    assert [item["tags"] for item in answer.body["value"]] == [{"azureADAppName": "app"}]
    assert "value" not in answer.body["value"][0]


async def test_paging_ends_with_a_null_link(azure: Simulated) -> None:
    """Pages hold what was asked for, are linked, and the last link is null."""
    for n in range(30):
        await azure.call("PUT", url(azure, f"/secrets/s{n:02}"), token=vault_token(azure), body={"value": "x"})
    first = await get(azure, "/secrets")
    second = await azure.call("GET", first.body["nextLink"], token=vault_token(azure))
    assert [len(page.body["value"]) for page in (first, second)] == [25, 6]
    assert second.body["nextLink"] is None
    assert (await get(azure, "/secrets?maxresults=26")).status == 400


async def test_creations_are_throttled_apart_from_reads(azure: Simulated) -> None:
    """Beyond the limit of creations PUT is a 429 Throttled, while reads go on."""
    azure.cloud.switches.set({"service": "keyvault", "limits": {"scale": 0.01}})
    token, statuses = vault_token(azure), []
    for _ in range(4):
        answer = await azure.call("PUT", url(azure, "/secrets/s"), token=token, body={"value": "x"})
        statuses.append(answer.status)
    assert statuses == [200, 200, 200, 429]
    assert answer.body["error"]["code"] == "Throttled"
    assert (await get(azure, "/secrets/s")).status == 200


async def test_reads_are_written_down(azure: Simulated) -> None:
    """The state tells who read which version."""
    await get(azure, "/secrets/seeded", "user")
    version = azure.cloud.keyvault.state()["vaults"]["kv"]["secrets"]["seeded"]["versions"][0]
    assert [r["caller"] for r in version["reads"]] == [azure.cloud.directory.identity("user").client_id]


async def test_unknown_vault_answers_nothing_of_use(azure: Simulated) -> None:
    """A vault that wasn't seeded is not made up."""
    answer = await azure.call("GET", url(azure, "/secrets", "other"), token=vault_token(azure))
    assert answer.status == 404


@needs_contracts
async def test_answers_keep_to_the_specification(azure: Simulated) -> None:
    """Every operation's request and answer is what the published specification allows."""
    token, query = vault_token(azure), {"api-version": "7.5"}
    body = {"value": "v", "tags": {"a": "b"}, "attributes": {"exp": 1_900_000_000, "enabled": True}}
    validate_request(SPEC, "SetSecret", body, query)
    calls: list[tuple[str, str, str, Any]] = [
        ("SetSecret", "PUT", "/secrets/s", body),
        ("GetSecret", "GET", "/secrets/s", None),
        ("GetSecret", "GET", "/secrets/missing", None),
        ("UpdateSecret", "PATCH", "/secrets/s/", {"tags": {}}),
        ("GetSecrets", "GET", "/secrets?maxresults=1", None),
        ("GetSecretVersions", "GET", "/secrets/s/versions", None),
        ("DeleteSecret", "DELETE", "/secrets/s", None),
        ("SetSecret", "PUT", "/secrets/s", body),
        ("GetDeletedSecrets", "GET", "/deletedsecrets", None),
        ("GetDeletedSecret", "GET", "/deletedsecrets/s", None),
        ("RecoverDeletedSecret", "POST", "/deletedsecrets/s/recover", None),
        ("DeleteSecret", "DELETE", "/secrets/s", None),
        ("PurgeDeletedSecret", "DELETE", "/deletedsecrets/s", None),
    ]
    statuses = []
    for operation, method, path, sent in calls:
        answer = await azure.call(method, url(azure, path), token=token, body=sent)
        validate_response(SPEC, operation, answer.status, answer.body or None)
        statuses.append(answer.status)
    assert statuses == [200, 200, 404, 200, 200, 200, 200, 409, 200, 200, 200, 200, 204]


@pytest.mark.parametrize(
    ("vault", "says"),
    [
        ({"roles": {"nobody": "Key Vault Reader"}}, "vaults.kv.roles: got 'nobody'"),
        ({"roles": {"officer": "Owner"}}, "vaults.kv.roles.officer: got 'Owner'"),
        ({"retention_days": "7"}, "vaults.kv.retention_days: got '7', expected int"),
        ({"secrets": {"a_b": {}}}, "vaults.kv.secrets.a_b"),
        ({"secrets": {"s": {"value": {"password_of": "none"}}}}, "vaults.kv.secrets.s.value"),
        ({"secrets": {"s": {"expires_in_days": 1, "expires": "2030-01-01T00:00:00Z"}}}, "expected one"),
        ({"secret": {}}, "unknown field secret"),
    ],
)
async def test_bad_seed_names_field_and_value(azure: Simulated, vault: dict[str, Any], says: str) -> None:
    """A seed that is wrong is a 400 that says where."""
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body={"vaults": {"kv": vault}})
    assert answer.status == 400
    assert says in answer.body["error"]


async def test_concurrent_writes_keep_every_version(azure: Simulated) -> None:
    """Versions stored at the same second are all there, each with its own id."""
    token = vault_token(azure)
    where = url(azure, "/secrets/busy")
    await asyncio.gather(*(azure.call("PUT", where, token=token, body={"value": str(n)}) for n in range(10)))
    assert len({version.id for version in azure.cloud.keyvault.vaults["kv"].secrets["busy"].versions}) == 10
