"""Keeps what could not be read in an audit log, with its place, for people to look at."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from rekey.blobs import names_under, read_tagged, replace, translated
from rekey.errors import NotYetError
from rekey.model.audit import Place

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

PREFIX = "audit/unreadable/"
MOST_KEPT = 100
"""Of one turn; the others are counted."""
LONGEST_TEXT = 4096
LONGEST_PROBLEM = 200


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """What should have been a record: its blob, its offset and length in bytes (at most the longest one's plus 1)."""

    blob: str
    offset: int
    length: int
    problem: str
    text: str

    @classmethod
    def of(cls, blob: str, offset: int, raw: bytes, problem: str) -> "Unreadable":
        """Return the one at that place; its text may be cut off, and what isn't UTF-8 in it is replaced."""
        text = raw[:LONGEST_TEXT].decode(errors="replace")
        return cls(blob=blob, offset=offset, length=len(raw), problem=problem[:LONGEST_PROBLEM], text=text)


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """All that one turn could not read: how many there were, and the first of them."""

    vault: str
    total: int
    first: tuple[Unreadable, ...]


async def keep(container: "ContainerClient", place: Place, etag: str, total: int, first: Sequence[Unreadable]) -> None:
    """Write down what a turn that began with that ETag of the state could not read.

    A turn that is repeated overwrites what it wrote before. Of two at once the one that read more has its say, for it
    may be the one that counts. Errors: NotYetError, PermanentError.
    """
    name = _blob(place, etag)
    with translated("unreadable lines of an audit log"):
        body, written = await read_tagged(container, name) or (b"", "")
        if body and msgspec.json.decode(body, type=Kept).total > total:
            return
        kept = Kept(vault=place.vault, total=total, first=tuple(first))
        if await replace(container, name, msgspec.json.encode(kept), written) is None:
            raise NotYetError("audit-overtaken", f"somebody else reads the audit log of vault {place.vault}")


async def unreadable(container: "ContainerClient") -> dict[str, int]:
    """Return in how many turns something could not be read, by vault; what people deleted no longer counts."""
    found = await names_under(container, PREFIX, "unreadable lines of audit logs")
    return dict(Counter(name.removeprefix(PREFIX).partition("/")[0] for name in found))


def _blob(place: Place, etag: str) -> str:
    turn = hashlib.sha256(f"{place.account} {place.prefix} {etag}".encode()).hexdigest()[:16]
    return f"{PREFIX}{place.vault}/{turn}.json"
