"""How a small blob is changed by many at once: read, compute, write back if nobody else has written meanwhile."""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from rekey.blobs import read_tagged, replace
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
    body, etag = await read_tagged(container, name) or (None, "")
    new = wanted(body)
    return new == body or await replace(container, name, new, etag) is not None
