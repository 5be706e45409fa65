"""Lists and reads the blobs of one vault's audit log: one for each hour, whose name says which."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from azure.core.exceptions import HttpResponseError

from rekey.audit.places import reading_logs
from rekey.blobs import code_of
from rekey.errors import NotYetError
from rekey.model.audit import Place

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

_HOUR = re.compile(r"y=(\d{4})/m=(\d\d)/d=(\d\d)/h=(\d\d)/m=\d\d/[^/]+\.json", re.ASCII | re.IGNORECASE)
_AHEAD = timedelta(hours=1)
"""How far the clock of whoever names the blobs may be ahead."""


class LogBlob(NamedTuple):
    """One blob as a listing shows it; `size` in bytes, `hour` is the begin of what it is about."""

    name: str
    size: int
    etag: str
    hour: datetime


class LogBlobs:
    """The blobs of one place; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient", place: Place) -> None:
        self._container = container
        self._prefix = place.prefix
        self._what = f"audit log of vault {place.vault}"

    async def since(self, horizon: datetime, now: datetime) -> list[LogBlob]:
        """Return the blobs of that hour and later ones, in order; a request for each day."""
        found = []
        with reading_logs(self._what):
            for day in _days(horizon, now + _AHEAD):
                async for blob in self._container.list_blobs(name_starts_with=f"{self._prefix}{day:y=%Y/m=%m/d=%d/}"):
                    hour = self.hour(blob.name)
                    if hour and hour + timedelta(hours=1) > horizon:
                        found.append(LogBlob(blob.name, blob.size, blob.etag, hour))
        return sorted(found)

    def hour(self, name: str) -> datetime | None:
        """Return which hour a blob is about, None if it isn't part of this log."""
        parts = _HOUR.fullmatch(name.removeprefix(self._prefix))
        try:
            return datetime(*map(int, parts.groups()), tzinfo=UTC) if parts else None  # type: ignore[misc,arg-type] # four of them
        except ValueError:
            return None

    async def read(self, blob: LogBlob, offset: int, length: int) -> bytes | None:
        """Return those bytes; None if the blob is gone, as old ones go. NotYetError if it became shorter than that."""
        with reading_logs(self._what):
            try:
                return await self._download(blob.name, offset, length)
            except HttpResponseError as error:
                if code_of(error) == "BlobNotFound":
                    return None
                if error.status_code == 416:
                    raise NotYetError("audit-log-changed", f"{self._what}: {blob.name} became shorter") from None
                raise

    async def _download(self, name: str, offset: int, length: int) -> bytes:
        download = await self._container.get_blob_client(name).download_blob(offset=offset, length=length)
        return await download.readall()


def _days(first: datetime, last: datetime) -> Iterator[date]:
    for days in range((last.date() - first.date()).days + 1):
        yield first.date() + timedelta(days=days)
