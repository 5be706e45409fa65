"""Guards a consumer's object while it is read, merged and written back whole, across processes and rotations."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError

from rekey import names
from rekey.blobs import create, translated
from rekey.errors import NotYetError

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

LEASE_SECONDS = 60
"""The longest a blob lease may be without being renewed; one whose holder died ends by itself."""
WORK_SECONDS = 50
"""What the holder may take: it must be done before somebody else can get the lease."""


@contextlib.asynccontextmanager
async def leased(container: "ContainerClient", object_id: str) -> AsyncIterator[None]:
    """Hold the lease of that object during the block; NotYetError if it is taken or the block takes too long."""
    name = names.lease_blob(object_id)
    blob = container.get_blob_client(name)
    with translated("lease"):
        await create(container, name, b"")
        try:
            lease = await blob.acquire_lease(lease_duration=LEASE_SECONDS)
        except HttpResponseError as error:
            if error.status_code != 409:
                raise
            raise NotYetError("object-busy", "another rotation is changing the same object", 5.0) from None
    try:
        async with asyncio.timeout(WORK_SECONDS):
            yield
    except TimeoutError:
        raise NotYetError("too-slow", f"the change took longer than {WORK_SECONDS} s") from None
    finally:
        with contextlib.suppress(AzureError):  # it ends by itself
            await lease.release()
