"""The audit logs of the simulated vaults, as they lie in a storage account."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.blob.aio import ContainerClient

from local.azure.keyvault_audit_delivery import CONTAINER
from local.storage import Azurite
from tests.azure.simulated import Simulated, StaticCredential, simulated

GROUP = f"group-{uuid4().hex[:8]}"
"""New in each process of the tests, which share a storage account and the container of the logs."""


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure without anything in it."""
    async with simulated(tmp_path, monkeypatch) as running:
        yield running
        await running.cloud.audit.aclose()


@pytest.fixture
def vault() -> str:
    """Return the name of a vault that no other test has."""
    return f"kv-{uuid4().hex[:8]}"


async def seed(azure: Simulated, azurite: Azurite, vault: str, **audit: Any) -> None:
    """Seed one vault with a secret in two versions, and where its log goes."""
    await azure.seed(
        {
            "identities": {"app": {"object_id": str(uuid4())}, "nobody": {}},
            "users": {"bea@contoso.example": {}},
            "vaults": {
                vault: {
                    "resource_group": GROUP,
                    "transition_seconds": 0.0,
                    "roles": {"app": "Key Vault Secrets Officer"},
                    "secrets": {"Deploy": [{"enabled": False}, {}]},
                }
            },
            "audit": {"connection_string": azurite.connection_string, **audit},
        }
    )


async def told(azure: Simulated) -> dict[str, int]:
    """Return how many records are written, and how many wait."""
    answer = await azure.call("GET", f"{azure.control}/_sim/audit")
    found: dict[str, int] = answer.body
    return found


async def flush(azure: Simulated) -> None:
    """Write what waits."""
    assert (await azure.call("POST", f"{azure.control}/_sim/audit/flush")).status == 200


async def blobs(azurite: Azurite, vault: str) -> dict[str, str]:
    """Return the vault's blobs by name."""
    async with ContainerClient.from_connection_string(azurite.connection_string, CONTAINER) as container:
        if not await container.exists():
            return {}
        mine = [blob.name async for blob in container.list_blobs() if f"/{vault}/" in blob.name.lower()]
        return {name: (await (await container.download_blob(name)).readall()).decode() for name in mine}


async def records(azure: Simulated, azurite: Azurite, vault: str) -> list[dict[str, Any]]:
    """Return every record of the vault's log, all of which are JSON lines."""
    await flush(azure)
    found = (await blobs(azurite, vault)).values()
    return [json.loads(line) for text in found for line in text.splitlines()]


async def ask(azure: Simulated, vault: str, path: str, identity: str = "app", method: str = "GET") -> int:
    """Send a request to the vault and return the status."""
    url = f"{azure.cloud.url(f'{vault}.vault')}{path}?api-version=7.5"
    token = azure.token(identity, azure.cloud.url("vault")) if identity else None
    return (await azure.call(method, url, token=token)).status


async def test_what_the_sdk_does_is_written_down(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """A read by the unmodified SDK is two records: the challenge, with nobody in it, and what was read by whom."""
    await seed(azure, azurite, vault)
    credential = StaticCredential(azure.token("app", azure.cloud.url("vault")))
    async with SecretClient(azure.cloud.url(f"{vault}.vault"), credential, connection_verify=azure.ca) as client:
        read = await client.get_secret("deploy")
    challenge, allowed = await records(azure, azurite, vault)
    identity = azure.cloud.directory.identity("app")
    assert (challenge["identity"], challenge["properties"]["httpStatusCode"]) == ({}, 401)
    assert challenge["resultSignature"] == "Unauthorized"
    assert (allowed["operationName"], allowed["resultSignature"]) == ("SecretGet", "OK")
    assert (allowed["identity"]["claim"]["oid"], allowed["identity"]["claim"]["appid"]) == (
        identity.object_id,
        identity.client_id,
    )
    assert allowed["properties"]["id"].endswith(f"/secrets/Deploy/{read.properties.version}")
    assert allowed["properties"]["requestUri"].partition("?")[0].endswith("/secrets/deploy/")
    assert "azsdk-python-keyvault-secrets" in allowed["properties"]["clientInfo"]
    assert allowed["resourceId"] == azure.cloud.keyvault.vaults[vault].arm_id.upper()
    assert str(read.value) not in json.dumps([challenge, allowed])


@pytest.mark.parametrize(
    ("method", "path", "operation", "status"),
    [
        ("GET", "/secrets", "SecretList", 200),
        ("GET", "/secrets/deploy/versions", "SecretListVersions", 200),
        ("DELETE", "/secrets/deploy", "SecretDelete", 200),
        ("GET", "/deletedsecrets/deploy", "SecretGetDeleted", 404),
        ("DELETE", "/deletedsecrets/deploy", "SecretPurge", 404),
        ("POST", "/deletedsecrets/deploy/recover", "SecretRecover", 404),
        ("PUT", "/secrets/deploy", "SecretSet", 400),
    ],
)
async def test_operations_by_their_names(
    azure: Simulated, azurite: Azurite, vault: str, method: str, path: str, operation: str, status: int
) -> None:
    """Each operation is written down by the name that Key Vault's documentation gives it, refused ones as well."""
    await seed(azure, azurite, vault)
    assert await ask(azure, vault, path, method=method) == status
    (found,) = await records(azure, azurite, vault)
    assert (found["operationName"], found["properties"]["httpStatusCode"]) == (operation, status)
    assert found["resultType"] == "Success"


async def test_two_refusals_are_told_apart(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """Who may read and meets a disabled version, and who may not read at all, both get a 403, with its reason."""
    await seed(azure, azurite, vault)
    old = azure.cloud.keyvault.vaults[vault].secrets["deploy"].versions[0].id
    assert [await ask(azure, vault, f"/secrets/deploy/{old}", who) for who in ("app", "nobody")] == [403, 403]
    disabled, forbidden = await records(azure, azurite, vault)
    assert disabled["resultDescription"] == "Operation get is not allowed on a disabled secret."
    assert forbidden["resultDescription"].startswith("Caller is not authorized to perform action on resource.")
    assert disabled["properties"]["id"] == forbidden["properties"]["id"]
    assert disabled["properties"]["id"].endswith(f"/secrets/deploy/{old}")


async def test_blobs_are_named_by_vault_and_hour(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """What happened in an hour is in that hour's blob, in upper case, however late it was written."""
    await seed(azure, azurite, vault, delay=600)
    for hour in (13, 14):
        await by_hand(azure, vault, "VaultPatch", at=datetime(2026, 11, 21, hour, 59, tzinfo=UTC).isoformat())
    assert (await told(azure), await blobs(azurite, vault)) == ({"written": 0, "waiting": 2}, {})
    await flush(azure)
    before = f"/RESOURCEGROUPS/{GROUP.upper()}/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/{vault.upper()}/y=2026/m=11/d=21/h="
    names = [name.partition("11111111-1111-1111-1111-111111111111")[2] for name in await blobs(azurite, vault)]
    assert names == [f"{before}13/m=00/PT1H.json", f"{before}14/m=00/PT1H.json"]


async def by_hand(azure: Simulated, vault: str, operation: str, **fields: Any) -> None:
    """Have the log tell of something that nobody does here."""
    body = {"vault": vault, "operation": operation, "by": "bea@contoso.example", **fields}
    assert (await azure.call("POST", f"{azure.control}/_sim/audit/record", body=body)).status == 200


async def test_changes_of_a_vault(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """What people do to a vault itself is told on demand, with their sign-in name."""
    await seed(azure, azurite, vault)
    await by_hand(azure, vault, "VaultPatch", address="198.51.100.9")
    (found,) = await records(azure, azurite, vault)
    assert (found["operationName"], found["callerIpAddress"]) == ("VaultPatch", "198.51.100.9")
    assert found["identity"]["claim"]["upn"] == "bea@contoso.example"
    assert found["identity"]["claim"]["oid"] == azure.cloud.directory.users["bea@contoso.example"].object_id


async def test_the_older_form(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """In the older form one object grows before its end, and claims have their long names."""
    await seed(azure, azurite, vault, form="records", case="lower")
    texts = []
    for _ in range(2):
        await ask(azure, vault, "/secrets")
        await flush(azure)
        (name, text), *_ = (await blobs(azurite, vault)).items()
        texts.append(text)
    assert f"/vaults/{vault}/" in name
    assert texts[1].startswith(texts[0].removesuffix("\n]}"))
    assert [len(json.loads(text)["records"]) for text in texts] == [1, 2]
    claims = json.loads(texts[1])["records"][1]["identity"]["claim"]
    assert claims["http://schemas.microsoft.com/identity/claims/objectidentifier"]


async def test_reads_by_azure_itself(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """A Key Vault reference of a site is a read by the site's identity."""
    await seed(azure, azurite, vault)
    setting = {"Deploy": f"@Microsoft.KeyVault(VaultName={vault};SecretName=deploy)"}
    await azure.seed({"sites": {"shop": {"resource_group": "shop", "identity": "app", "settings": setting}}})
    await azure.call("GET", f"{azure.control}/_sim/state")  # looking at a site is what has it read
    (found,) = await records(azure, azurite, vault)
    assert (found["operationName"], found["identity"]["claim"]["appid"]) == (
        "SecretGet",
        azure.cloud.directory.identity("app").client_id,
    )


async def test_a_torn_line_is_completed(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """A batch can be seen before the second half of its last line is there."""
    await seed(azure, azurite, vault, torn=0.5)
    await ask(azure, vault, "/secrets")
    async with asyncio.timeout(10):
        while not (seen := list((await blobs(azurite, vault)).values())) or not seen[0]:  # noqa: ASYNC110 - storage calls nobody
            await asyncio.sleep(0.02)
    with pytest.raises(json.JSONDecodeError):
        json.loads(seen[0])
    assert len(await records(azure, azurite, vault)) == 1


async def test_without_a_setting_nothing_is_written(azure: Simulated, azurite: Azurite, vault: str) -> None:
    """Vaults have no log before somebody asks for one; what then isn't known is refused with its field."""
    del azurite
    await azure.seed({"identities": {"app": {}}, "vaults": {vault: {"roles": {"app": ["list"]}}}})
    assert await ask(azure, vault, "/secrets") == 200
    assert await told(azure) == {"written": 0, "waiting": 0}
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body={"audit": {"delay": "soon"}})
    assert (answer.status, answer.body["error"]) == (400, "audit.delay: got 'soon', expected float, got str")
    body = {"vault": "nowhere", "operation": "VaultPut"}
    answer = await azure.call("POST", f"{azure.control}/_sim/audit/record", body=body)
    assert (answer.status, answer.body["error"].partition(",")[0]) == (400, "vault: got 'nowhere'")
