"""Where a notice waits that couldn't be sent: one blob each, so that mail that fails never blocks a rotation."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from azure.core.exceptions import ResourceNotFoundError

from rekey.blobs import create, delete, translated
from rekey.model import Notice
from rekey.notices.identity import notice_id

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import ContainerClient

PREFIX = "outbox/"

_log = logging.getLogger(__name__)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An undelivered notice, why it is one (a code), and since when. `id` is what `remove` takes."""

    id: str
    notice: Notice
    reason: str
    since: datetime


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    notice: Notice
    reason: str


class Outbox:
    """Undelivered notices in the container names.CONTAINER; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def put(self, notice: Notice, reason: str) -> str:
        """Keep `notice` until it is removed and return its id; one that waits already stays as it is.

        `reason` is an error's code, not its text.
        """
        waiting = str(notice_id(notice, notice.to))
        body = msgspec.json.encode(_Stored(notice=notice, reason=reason))
        with translated("outbox"):
            await create(self._container, _blob(waiting), body)
        return waiting

    async def pending(self) -> list[Waiting]:
        """Return what waits, the oldest first. A blob that can't be read is logged and left where it is.

        Who may write the container may write here: send only through a channel that filters recipients itself.
        """
        with translated("outbox"):
            blobs = [blob async for blob in self._container.list_blobs(name_starts_with=PREFIX)]
            found = [await self._read(blob) for blob in blobs]
        return sorted((w for w in found if w is not None), key=lambda w: (w.since, w.id))

    async def remove(self, waiting: str) -> None:
        """Forget the notice of that id; one that is gone already is no error."""
        with translated("outbox"):
            await delete(self._container, _blob(waiting))

    async def _read(self, blob: "BlobProperties") -> Waiting | None:
        try:
            body = await (await self._container.get_blob_client(blob.name).download_blob()).readall()
            stored = msgspec.json.decode(body, type=_Stored)
        except ResourceNotFoundError:
            return None  # sent and removed by somebody else since the list was made
        except msgspec.DecodeError:
            _log.warning("outbox: %s can't be read and stays where it is", blob.name)
            return None
        return Waiting(
            id=blob.name.removeprefix(PREFIX).removesuffix(".json"),
            notice=stored.notice,
            reason=stored.reason,
            since=blob.last_modified,
        )


def _blob(waiting: str) -> str:
    return f"{PREFIX}{waiting}.json"
