"""Leases on a real storage account: one at a time, released after, and no longer than the work may take."""

import asyncio

import pytest
from azure.storage.blob.aio import BlobLeaseClient, ContainerClient

from rekey import leases, names
from rekey.errors import NotYetError
from rekey.leases import leased


async def test_second_taker_has_to_wait(container: ContainerClient) -> None:
    """While one holds the object's lease, in any case of letters, another is told to come again, and then gets it."""
    async with leased(container, "Object-1"):
        with pytest.raises(NotYetError) as caught:
            async with leased(container, "object-1"):
                pytest.fail("two hold the same lease")
        assert (caught.value.code, caught.value.seconds) == ("object-busy", 5.0)
        async with leased(container, "object-2"):
            pass
    async with leased(container, "object-1"):
        pass


async def test_lease_is_released_when_the_work_fails(container: ContainerClient) -> None:
    """An error leaves nothing locked, and gets through as it is."""
    with pytest.raises(LookupError, match="as it is"):
        async with leased(container, "object"):
            raise LookupError("as it is")
    async with leased(container, "object"):
        pass


async def test_lease_ends_by_itself(container: ContainerClient) -> None:
    """A holder that died doesn't block for ever: the lease is for a time that is longer than the work may take."""
    async with leased(container, "object"):
        properties = await container.get_blob_client(names.lease_blob("object")).get_blob_properties()
        assert properties.lease.duration == "fixed"
    assert leases.WORK_SECONDS < leases.LEASE_SECONDS <= 60


async def test_work_that_takes_too_long_is_stopped(container: ContainerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before somebody else could get the lease, the work is cancelled."""
    monkeypatch.setattr(leases, "WORK_SECONDS", 0.05)
    with pytest.raises(NotYetError) as caught:
        async with leased(container, "object"):
            await asyncio.Event().wait()
    assert caught.value.code == "too-slow"


async def test_lost_lease_is_no_error(container: ContainerClient) -> None:
    """Work that was done stays done, even if the lease is gone when it is given back."""
    async with leased(container, "object"):
        await BlobLeaseClient(container.get_blob_client(names.lease_blob("object"))).break_lease(0)
