"""Where a notice waits that can't be sent, or can be told later: one blob each; mail never blocks a rotation."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from azure.core.exceptions import ResourceNotFoundError

from rekey.blobs import code_of, create, delete, translated
from rekey.model import Notice
from rekey.notices.guarded import change
from rekey.notices.identity import notice_id

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

PREFIX = "outbox/"
MADE = "outbox-digests/"
"""Digests made of notices that wait, until they are out; what they tell waits as well until then."""
SET_ASIDE = "outbox-refused/"
"""What the mail service refuses for good is kept there, and never sent."""

UNDELIVERED, DIGEST = "undelivered", "digest"
"""Why a notice waits: it couldn't be sent, or it is told together with others."""

PAGE = 500
AT_ONCE = 16
"""Blobs that are listed in one answer, and that are read or changed side by side."""

_log = logging.getLogger(__name__)


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that waits, why (a code), and since when; `told` have got it already. `id` is what `remove` takes.

    `folds` are the ids of the notices that a digest made of them tells.
    """

    id: str
    notice: Notice
    reason: str
    since: datetime
    told: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()

    def left(self, among: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return whom to tell yet."""
        told = {address.lower() for address in self.told}
        wanted = {address.lower() for address in (self.notice.to if among is None else among)}
        return tuple(a for a in self.notice.to if a.lower() in wanted and a.lower() not in told)


class _Stored(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    notice: Notice
    reason: str
    since: datetime | None = None
    told: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()


class Outbox:
    """Waiting notices in the container names.CONTAINER; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container
        self._few = asyncio.Semaphore(AT_ONCE)

    async def put(self, notice: Notice, reason: str, folds: tuple[str, ...] = ()) -> str:
        """Keep `notice` until it is removed and return its id; one that waits already stays as it is.

        `reason` is a code, not an error's text.
        """
        waiting = f"{MADE if folds else PREFIX}{notice_id(notice, notice.to)}"
        body = msgspec.json.encode(_Stored(notice=notice, reason=reason, folds=folds))
        with translated("outbox"):
            async with self._few:
                await create(self._container, f"{waiting}.json", body)
        return waiting.removeprefix(PREFIX)

    async def pending(self) -> list[Waiting]:
        """Return the notices that wait, the oldest first. A blob that can't be read is logged and left where it is.

        Who may write the container may write here: send only through a channel that filters recipients itself.
        """
        return await self._all(PREFIX)

    async def made(self) -> list[Waiting]:
        """Return the digests that were made and aren't out yet, the oldest first."""
        return await self._all(MADE)

    async def read(self, waiting: str) -> Waiting | None:
        """Return the notice of that id; None if it is gone, or can't be read."""
        with translated("outbox"):
            return await self._read(_blob(waiting))

    async def remove(self, waiting: str) -> None:
        """Forget the notice of that id; one that is gone already is no error."""
        with translated("outbox"):
            await delete(self._container, _blob(waiting))

    async def settle(self, waiting: Waiting, told: tuple[str, ...]) -> None:
        """Note that these were told, of a digest also in each notice that it tells; who was told last removes it."""
        with translated("outbox"):
            await asyncio.gather(*(self._mark(one, told) for one in waiting.folds))
            await self._mark(waiting.id, told)

    async def set_aside(self, waiting: Waiting, refused: tuple[str, ...]) -> None:
        """Keep a copy of what can't be delivered to these."""
        notice = msgspec.structs.replace(waiting.notice, to=refused)
        name = f"{SET_ASIDE}{notice_id(notice, refused)}.json"
        body = msgspec.json.encode(_Stored(notice=notice, reason=waiting.reason, since=waiting.since))
        with translated("outbox"):
            await create(self._container, name, body)

    async def _all(self, prefix: str) -> list[Waiting]:
        found: list[Waiting | None] = []
        with translated("outbox"):
            async for page in self._container.list_blobs(name_starts_with=prefix, results_per_page=PAGE).by_page():
                names = [blob.name async for blob in page]
                found += await asyncio.gather(*(self._read(name) for name in names))
        return sorted((w for w in found if w is not None), key=lambda w: (w.since, w.id))

    async def _mark(self, waiting: str, told: tuple[str, ...]) -> None:
        async with self._few:
            await change(self._container, _blob(waiting), lambda body: _marked(body, told))

    async def _read(self, name: str) -> Waiting | None:
        try:
            async with self._few:
                blob = await self._container.get_blob_client(name).download_blob()
                stored = msgspec.json.decode(await blob.readall(), type=_Stored)
        except ResourceNotFoundError as error:
            if code_of(error) != "BlobNotFound":
                raise
            return None  # sent and removed by somebody else since the list was made
        except msgspec.DecodeError:
            _log.warning("outbox: %s can't be read and stays where it is", name)
            return None
        return Waiting(
            id=name.removeprefix(PREFIX).removesuffix(".json"),
            notice=stored.notice,
            reason=stored.reason,
            since=stored.since or blob.properties.last_modified,
            told=stored.told,
            folds=stored.folds,
        )


def _marked(body: bytes | None, told: tuple[str, ...]) -> bytes | None:
    """Return the blob with these told, None if that is everybody; what can't be read stays."""
    if body is None:
        return None
    try:
        stored = msgspec.json.decode(body, type=_Stored)
    except msgspec.DecodeError:
        return body
    marked = msgspec.structs.replace(stored, told=tuple(sorted({*stored.told, *(a.lower() for a in told)})))
    everybody = {address.lower() for address in stored.notice.to} <= {address.lower() for address in marked.told}
    return None if everybody else msgspec.json.encode(marked)


def _blob(waiting: str) -> str:
    """Return where the notice of that id is; a digest's id says that it is one."""
    return f"{waiting}.json" if waiting.startswith(MADE) else f"{PREFIX}{waiting}.json"
