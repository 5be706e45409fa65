"""What is remembered of who read which version: on a real storage account."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.storage.blob.aio import ContainerClient

from rekey.audit import readers as learning
from rekey.audit.access import Access, Caller
from rekey.audit.readers import How, Reader, Readers

NOW = datetime(2030, 1, 5, 12, tzinfo=UTC)
SHOP = Caller(app_id="11111111-1111-4111-8111-111111111111", object_id="22222222-2222-4222-8222-222222222222")
MINUTE = timedelta(minutes=1)


def access(at: datetime = NOW, **more: Any) -> Access:
    """Return one read of the secret `deploy`, which was allowed."""
    facts = {"vault": "kv-shop", "secret": "deploy", "operation": "SecretGet", "status": 200, "caller": SHOP}
    return Access(first=at, last=at, **{**facts, **more})


async def etags(container: ContainerClient) -> dict[str, str]:
    """Return what was written of the readers."""
    return {blob.name: str(blob.etag) async for blob in container.list_blobs(name_starts_with=learning.PREFIX)}


async def test_readers_are_known_by_version_with_first_and_last_time(container: ContainerClient) -> None:
    """Order doesn't matter; allowed reads, reads of a disabled version and refused ones are told apart."""
    readers = Readers(container)
    await readers.learn("kv-shop", [access(NOW + 9 * MINUTE, version="v1", address="10.0.0.2"), access(version="")])
    disabled = access(NOW + MINUTE, version="v1", status=403, disabled=True)
    await readers.learn("kv-shop", [access(NOW, version="v1", address="10.0.0.1"), disabled])
    await readers.learn("kv-shop", [access(NOW, version="v1", status=403)])
    found = await readers.of("KV-Shop", "Deploy")
    assert {version: {r.how for r in some} for version, some in found.items()} == {
        "v1": {How.READ, How.DISABLED, How.REFUSED},
        "": {How.READ},
    }
    assert found["v1"][0] == Reader(
        version="v1",
        caller=SHOP,
        how=How.READ,
        first=NOW,
        last=NOW + 9 * MINUTE,
        addresses=("10.0.0.2", "10.0.0.1"),
    )
    assert await readers.of("kv-shop", "other") == {}


@pytest.mark.parametrize(
    "taught",
    [
        {"operation": "SecretSet"},
        {"operation": "SecretList", "secret": ""},
        {"status": 404},
        {"status": 429},
        {"status": 401},
    ],
)
async def test_only_reads_of_what_is_there_teach(container: ContainerClient, taught: dict[str, Any]) -> None:
    """Writes, lists, and reads that found nothing or came to nothing leave no trace."""
    await Readers(container).learn("kv-shop", [access(**taught)])
    assert await etags(container) == {}


async def test_what_is_known_is_not_written_again(container: ContainerClient) -> None:
    """The same again writes nothing; reads of the newest are written every ten minutes, of an exact version always."""
    readers = Readers(container)
    await readers.learn("kv-shop", [access(version=""), access(version="v1")])
    written = await etags(container)
    await readers.learn("kv-shop", [access(version=""), access(version="v1"), access(NOW + 9 * MINUTE, version="")])
    assert await etags(container) == written
    await readers.learn("kv-shop", [access(NOW + 10 * MINUTE, version="")])
    slow = await etags(container)
    assert slow != written
    await readers.learn("kv-shop", [access(NOW + MINUTE, version="v1")])
    assert await etags(container) != slow
    assert (await readers.of("kv-shop", "deploy"))["v1"][0].last == NOW + MINUTE


async def test_several_passes_at_once_lose_nothing(container: ContainerClient) -> None:
    """Vaults with logs in two accounts are read side by side: each one's readers stay."""
    readers = Readers(container)
    callers = [Caller(app_id=f"app-{n}") for n in range(6)]
    await asyncio.gather(*(readers.learn("kv-shop", [access(version="v1", caller=c)]) for c in callers))
    found = await readers.of("kv-shop", "deploy")
    assert {reader.caller for reader in found["v1"]} == set(callers)


async def test_refused_callers_crowd_nobody_out(container: ContainerClient) -> None:
    """Whoever is refused may invent versions, and be many: who read stays known, and the blob small."""
    readers = Readers(container)
    await readers.learn("kv-shop", [access(version="v1")])
    storm = [
        access(NOW + n * MINUTE, version=f"{n % 40}" if n % 2 else "v1", status=403, caller=Caller(app_id=f"app-{n}"))
        for n in range(400)
    ]
    await readers.learn("kv-shop", storm)
    found = await readers.of("kv-shop", "deploy")
    assert [r.caller for r in found["v1"] if r.how == How.READ] == [SHOP]
    assert len(found["v1"]) == 1 + learning.MOST_CALLERS
    assert len(found) == learning.MOST_VERSIONS


async def test_secrets_that_nobody_got_are_bounded(container: ContainerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is refused may invent names of secrets as well: of those the last stay, the real ones all."""
    monkeypatch.setattr(learning, "SHARDS", 1)
    monkeypatch.setattr(learning, "MOST_REFUSED_ONLY", 3)
    readers = Readers(container)
    refused = [access(NOW + n * MINUTE, secret=f"name-{n}", status=403) for n in range(9)]
    await readers.learn("kv-shop", [access(), *refused])
    known = [name for name in ("deploy", *(f"name-{n}" for n in range(9))) if await readers.of("kv-shop", name)]
    assert known == ["deploy", "name-6", "name-7", "name-8"]
