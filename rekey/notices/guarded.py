"""How a small blob is changed by many at once: read, compute, write back if nobody else has written meanwhile."""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from rekey.blobs import code_of, create
from rekey.errors import NotYetError

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

type Change = Callable[[bytes | None], bytes | None]
"""What is there (None: nothing) in, what is to be there (None: nothing) out; it may be asked several times."""

TRIES = 20
LONGEST_PAUSE = 1.0
"""Seconds; two that met should not meet again."""


async def change(container: "ContainerClient", name: str, wanted: Change) -> None:
    """Make the blob what `wanted` says; NotYetError if others are always faster, the SDK's errors as they are."""
    for number in range(TRIES):
        if await _tried(container, name, wanted):
            return
        await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**number)))  # noqa: S311 - not a secret
    raise NotYetError("blob-busy", f"{name} changes too often")


async def _tried(container: "ContainerClient", name: str, wanted: Change) -> bool:
    body, etag = await _read(container, name)
    new = wanted(body)
    if new == body:
        return True
    if body is None:
        return new is None or await create(container, name, new)
    return await _replaced(container, name, new, etag)


async def _read(container: "ContainerClient", name: str) -> tuple[bytes | None, str]:
    try:
        blob = await container.get_blob_client(name).download_blob()
        return await blob.readall(), blob.properties.etag
    except ResourceNotFoundError as error:
        if code_of(error) != "BlobNotFound":
            raise
        return None, ""


async def _replaced(container: "ContainerClient", name: str, new: bytes | None, etag: str) -> bool:
    blob = container.get_blob_client(name)
    unchanged: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
    try:
        if new is None:
            await blob.delete_blob(**unchanged)
        else:
            await blob.upload_blob(new, overwrite=True, **unchanged)
    except HttpResponseError as error:
        if error.status_code == 412 or code_of(error) == "BlobNotFound":
            return False
        raise
    return True
