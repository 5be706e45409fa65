"""What has been told already: one empty blob per key, so that nobody reads the same news every night."""

import hashlib
from typing import TYPE_CHECKING

from rekey.blobs import create, translated

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

PREFIX = "told/"


class Told:
    """Markers in the container names.CONTAINER. The key is hashed: it may hold anything, and nobody can read it back.

    To tell at least once: `if not await told.before(key)`, send, then `first_time(key)`. The mail's own id keeps a
    repeat after a crash from being a second mail. `first_time` before sending would tell at most once.
    """

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def before(self, key: str) -> bool:
        """Tell whether the key was marked; NotYetError, PermanentError."""
        with translated("told"):
            return await self._container.get_blob_client(_blob(key)).exists()

    async def first_time(self, key: str) -> bool:
        """Mark the key; True for exactly one caller ever, however many ask at once; NotYetError, PermanentError."""
        with translated("told"):
            return await create(self._container, _blob(key), b"")


def _blob(key: str) -> str:
    return PREFIX + hashlib.sha256(key.encode()).hexdigest()
