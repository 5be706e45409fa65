"""What one night tells the next, and its parts each other: in blobs, for findings are too large for history."""

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from rekey.blobs import create, delete, names_under, read_json, translated, write_json
from rekey.model import Finding

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

NIGHTS, SEEN, LOOKED = "nights/", "seen/", "looked/"
_SINCE = f"{SEEN}findings.json"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What the tags of a secret's newest version claim to hold; `kind` and `target` are empty without a good policy.

    `key` is the claimed key id, hashed: anything may stand in a tag, people paste passwords there.
    """

    vault: str
    secret: str
    key: str
    rotation_id: str
    created: datetime
    expires: datetime | None = None
    kind: str = ""
    target: str = ""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that should have been rotated by now."""

    vault: str
    secret: str
    since: datetime
    why: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of a night found; `left` are the rotations of which something was left behind, and still is."""

    findings: tuple[Finding, ...] = ()
    references: tuple[Reference, ...] = ()
    due: tuple[Due, ...] = ()
    left: tuple[str, ...] = ()


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """When something was seen first: in which run, and at which time by the clock of whoever dates it."""

    run_id: str
    at: datetime


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in the versions of a secret whose newest was made at `created`."""

    created: datetime
    had_policy: bool


def hashed(key_id: str | None) -> str:
    """Return what stands for a key id in a reference, "" for none."""
    return hashlib.sha256(key_id.encode()).hexdigest() if key_id else ""


class Memory:
    """The nights' blobs in the container names.CONTAINER; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def keep(self, run_id: str, part: str, result: Result) -> None:
        """Keep what a part found, in place of what an earlier attempt of it kept."""
        await self._write(f"{NIGHTS}{run_id}/{part}.json", result)

    async def unkeep(self, run_id: str, part: str) -> None:
        """Forget what a part said that didn't come true."""
        with translated("night"):
            await delete(self._container, f"{NIGHTS}{run_id}/{part}.json")

    async def kept(self, run_id: str) -> dict[str, Result]:
        """Return what the parts of this night found, by part."""
        prefix = f"{NIGHTS}{run_id}/"
        found = {}
        for name in await self._names(prefix):
            result = await self._read(name, Result)
            if result is not None:
                found[name.removeprefix(prefix).removesuffix(".json")] = result
        return found

    async def forget_nights(self, *, but: str) -> None:
        """Remove what the parts of other nights found: it was told, or is found again."""
        for name in await self._names(NIGHTS):
            if not name.startswith(f"{NIGHTS}{but}/"):
                with translated("night"):
                    await delete(self._container, name)

    async def first_sight(self, what: str, now: Sight) -> Sight:
        """Return when `what` was seen first, which is `now` if it never was."""
        with translated("sight"):
            new = await create(self._container, _sight(what), msgspec.json.encode(now))
        return now if new else (await self._read(_sight(what), Sight) or now)

    async def lose_sight(self, what: str) -> None:
        """Forget that `what` was seen."""
        with translated("sight"):
            await delete(self._container, _sight(what))

    async def looks(self, vault: str) -> dict[str, Look]:
        """Return what was found in a vault's secrets, by name."""
        return await self._read(f"{LOOKED}{vault}.json", dict[str, Look]) or {}

    async def keep_looks(self, vault: str, looks: dict[str, Look]) -> None:
        """Keep what was found in a vault's secrets."""
        await self._write(f"{LOOKED}{vault}.json", looks)

    async def since(self) -> dict[str, datetime]:
        """Return since when each of the last night's findings has been there."""
        return await self._read(_SINCE, dict[str, datetime]) or {}

    async def keep_since(self, since: dict[str, datetime]) -> None:
        """Keep since when each of this night's findings has been there."""
        await self._write(_SINCE, since)

    async def _names(self, prefix: str) -> list[str]:
        return await names_under(self._container, prefix, "nights")

    async def _read[T](self, name: str, kind: type[T]) -> T | None:
        return await read_json(self._container, name, kind, "night")

    async def _write(self, name: str, value: object) -> None:
        await write_json(self._container, name, value, "night")


def _sight(what: str) -> str:
    return f"{SEEN}{hashlib.sha256(what.encode()).hexdigest()}.json"
