"""How far a vault's audit log was read and what of it is still to be told: one blob, written by compare-and-set.

Both change in one write. Who dies before it has done nothing, who dies after it has done all: no line is skipped, none
counts twice.
"""

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from rekey.audit.access import Caller
from rekey.blobs import names_under, read_json, read_tagged, replace, translated
from rekey.errors import NotYetError
from rekey.model.audit import Place
from rekey.model.notice import Notice

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

PREFIX = "audit/state/"
MANY = "*"
"""Stands for the secrets of a group that holds many."""


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far one blob was read: `offset` bytes are done with, `mark` is a digest of the last ones before it.

    `records`: it has the older form, one JSON object with a list, instead of a JSON object for each line. `etag` is the
    blob's when it was read to its end, "" if it wasn't: while it is the same there is nothing new.
    """

    offset: int = 0
    mark: str = ""
    records: bool = False
    etag: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every hit of one rule on one secret by one caller within one window, which begins at `window`.

    `told` is how often it had happened when people were told last, 0 before they were; `seen` is how many addresses and
    operations they were told of then, and `mails` how often they were.
    """

    rule: str
    secret: str
    caller: Caller
    window: datetime
    first: datetime
    last: datetime
    times: int = 0
    refused: int = 0
    addresses: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    told: int = 0
    seen: int = 0
    mails: int = 0


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that was decided on and isn't known to be out: whatever comes meanwhile, it stays as it is.

    `groups` are the keys of the groups that it tells of.
    """

    id: str
    notice: Notice
    groups: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that one vault's watching keeps. `passed` is when the last pass began that left nothing unread.

    `mailed` is when letters were written lately.
    """

    vault: str
    passed: datetime | None = None
    blobs: dict[str, Position] = {}
    lines: int = 0
    unreadable: int = 0
    groups: dict[str, Group] = {}
    letters: tuple[Letter, ...] = ()
    mailed: tuple[datetime, ...] = ()


class States:
    """The states of all vaults in the container names.CONTAINER; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def read(self, place: Place) -> tuple[State, str]:
        """Return a vault's state and its ETag, which `write` asks for; "" if there is none yet."""
        with translated("audit state"):
            body, etag = await read_tagged(self._container, _blob(place)) or (b"", "")
            return (msgspec.json.decode(body, type=State) if body else State(vault=place.vault)), etag

    async def of(self, vault: str) -> list[State]:
        """Return the states of every log that the vault (lower case) has or had."""
        blobs = await names_under(self._container, f"{PREFIX}{vault}-", "audit state")
        found = [await read_json(self._container, blob, State, "audit state") for blob in blobs]
        # Another vault's name may begin with this one's.
        return [state for state in found if state is not None and state.vault == vault]

    async def write(self, place: Place, state: State, etag: str) -> str:
        """Put `state` in place of the one that was read with `etag` and return the new ETag.

        NotYetError `audit-overtaken` if somebody else has written since: then nothing is done.
        """
        with translated("audit state"):
            written = await replace(self._container, _blob(place), msgspec.json.encode(state), etag)
        if written is None:
            raise NotYetError("audit-overtaken", f"somebody else reads the audit log of vault {place.vault}")
        return written


def _blob(place: Place) -> str:
    """Return the blob: a vault may have had logs in several accounts, or under one name in another case."""
    digest = hashlib.sha256(f"{place.account} {place.prefix}".encode()).hexdigest()[:16]
    return f"{PREFIX}{place.vault}-{digest}.json"
