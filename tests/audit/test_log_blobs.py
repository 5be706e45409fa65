"""Holds which blobs are a vault's log, and what becomes of one that changes while it is read."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob.aio import ContainerClient

from local.storage import Azurite
from rekey.audit.log_blobs import LogBlob, LogBlobs
from rekey.errors import NotYetError, PermanentError
from tests.audit.log_world import NOW, PLACE, append, blob_name, prefix, put

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


async def test_the_hours_from_the_horizon_on_are_listed_in_order(logs: ContainerClient) -> None:
    """The hour of the horizon and later ones, over midnight and a little ahead of the clock, and nothing else there."""
    hours = [MIDNIGHT + timedelta(hours=number) for number in range(-4, 3)]
    for hour in reversed(hours):
        await append(logs, blob_name(hour), b" ")
    for name in ("y=2026/m=11/d=21/h=23/readme.txt", "y=2026/m=11/d=21/h=77/m=00/PT1H.json", "y=2026/m=11/d=21/x.json"):
        await append(logs, f"{prefix()}{name}", b" ")
    source = LogBlobs(logs, PLACE)
    found = await source.since(MIDNIGHT - timedelta(hours=2.5), MIDNIGHT - timedelta(minutes=1))
    assert [blob.hour for blob in found] == hours[1:]
    assert [source.hour(blob.name) for blob in found] == hours[1:]


@pytest.mark.parametrize("name", ["", "y=2026/m=13/d=01/h=00/m=00/PT1H.json", "elsewhere/y=2026/m=01/d=01/h=00/m=00/a"])
async def test_other_names_have_no_hour(logs: ContainerClient, name: str) -> None:
    """A name that isn't an hour's is nobody's log."""
    assert LogBlobs(logs, PLACE).hour(prefix() + name) is None


async def test_a_blob_that_changes_after_it_was_listed(logs: ContainerClient) -> None:
    """One that went is no more, and one that became shorter is looked at again later."""
    await put(logs, blob_name(NOW), b"12345678")
    source = LogBlobs(logs, PLACE)
    (blob,) = await source.since(NOW, NOW)
    assert await source.read(blob, 2, 4) == b"3456"
    await put(logs, blob_name(NOW), b"123")
    with pytest.raises(NotYetError) as refused:
        await source.read(blob, 6, 2)
    assert refused.value.code == "audit-log-changed"
    await logs.delete_blob(blob.name)
    assert await source.read(blob, 0, 2) is None


async def test_a_container_that_went_is_told(azurite: Azurite) -> None:
    """A log without its container isn't one without news."""
    async with ContainerClient.from_connection_string(azurite.connection_string, "nobody-made-this") as none:
        source = LogBlobs(none, PLACE)
        for read in (source.since(NOW, NOW), source.read(LogBlob("b", 1, "", NOW), 0, 1)):
            with pytest.raises(PermanentError) as refused:
                await read
            assert refused.value.code == "audit-logs-gone"
