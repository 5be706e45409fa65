"""Where a nightly sweep keeps the names it found and plans to start: in blobs, by parts.

Ten thousand names don't belong into the durable store, whose payloads are small and whose history is replayed.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from rekey import names
from rekey.blobs import delete, names_under, read_json, translated, write_json
from rekey.errors import InputError, PermanentError
from rekey.model import Finding

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

PAGE = 50
"""Batches in one blob of a plan: read once a batch, written once a page."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that is due; `expires` orders the starts, `kind` says what its rotation costs.

    One whose tags can't be used has no kind and a key, `once`, under which it is started a single time ever: its
    rotation changes nothing and tells the owners what is wrong, as it does after an event. A `quiet` one had nothing
    left to rotate the last time: it is looked at again, and that is no news.
    """

    vault: str
    secret: str
    kind: str
    expires: datetime
    once: str = ""
    quiet: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one vault's listing came to."""

    due: tuple[Due, ...]
    findings: tuple[Finding, ...] = ()


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One batch: when it starts, in seconds after the plan's first, and what it starts."""

    at: float
    starts: tuple[Due, ...]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some batches of a plan and the time of the batch after them (the last one's own if there is none)."""

    batches: tuple[Planned, ...]
    next: float
    digest: bool


class NotStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Those of a batch that could not be started."""

    starts: tuple[Due, ...]


class Sweeps:
    """One sweep's blobs in the container names.CONTAINER; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient", run_id: str) -> None:
        if not names.ROTATION_ID.fullmatch(run_id):
            raise InputError("run_id", run_id, "the id of a sweep, a GUID in lower case")
        self._container = container
        self._run_id = run_id

    async def keep_found(self, vault: str, found: Found) -> None:
        """Keep what a vault's listing came to, in place of what an earlier attempt kept."""
        await self._put(f"found/{vault}", found)

    async def found(self) -> list[Found]:
        """Return what every listing came to."""
        return await self._all("found/", Found)

    async def keep_plan(self, number: int, batches: Iterable[Planned], *, digest: bool) -> int:
        """Keep the plan of a round, page by page, and return the number of its batches."""
        planned = tuple(batches)
        for first in range(0, len(planned), PAGE):
            following = planned[min(first + PAGE, len(planned) - 1)].at
            page = Page(batches=planned[first : first + PAGE], next=following, digest=digest)
            await self._put(f"plan/{number}/{first // PAGE:06}", page)
        return len(planned)

    async def batch(self, number: int, batch: int) -> tuple[Planned, float, bool]:
        """Return a batch, the time of the next one, and whether its requests are told in a digest.

        PermanentError `plan-gone` if the sweep is over: an instance that was restarted begins anew.
        """
        page = await self._get(f"plan/{number}/{batch // PAGE:06}", Page)
        if page is None:
            raise PermanentError("plan-gone", f"the plan of sweep {self._run_id} is gone")
        place = batch % PAGE
        following = page.batches[place + 1].at if place + 1 < len(page.batches) else page.next
        return page.batches[place], following, page.digest

    async def keep_not_started(self, number: int, batch: int, missed: NotStarted) -> None:
        """Keep what a batch could not start."""
        await self._put(f"missed/{number}/{batch:06}", missed)

    async def not_started(self, number: int) -> list[NotStarted]:
        """Return what a round could not start."""
        return await self._all(f"missed/{number}/", NotStarted)

    async def forget_plans(self) -> None:
        """Remove this sweep's plans: nothing is to be started from them any more."""
        await self._forget(names.sweep_blob(self._run_id, "plan/"))

    async def forget_others(self) -> None:
        """Remove what earlier sweeps left."""
        await self._forget(names.SWEEPS, keep=names.sweep_blob(self._run_id, ""))

    async def _forget(self, prefix: str, keep: str = "\n") -> None:
        for name in await names_under(self._container, prefix, "sweep"):
            if not name.startswith(keep):
                with translated("sweep"):
                    await delete(self._container, name)

    async def _put(self, part: str, value: msgspec.Struct) -> None:
        await write_json(self._container, names.sweep_blob(self._run_id, part), value, "sweep")

    async def _get[T](self, part: str, kind: type[T]) -> T | None:
        return await read_json(self._container, names.sweep_blob(self._run_id, part), kind, "sweep")

    async def _all[T](self, prefix: str, kind: type[T]) -> list[T]:
        whole = names.sweep_blob(self._run_id, prefix)
        found = await names_under(self._container, whole, "sweep")
        read = [await self._get(prefix + name.removeprefix(whole), kind) for name in found]
        return [one for one in read if one is not None]
