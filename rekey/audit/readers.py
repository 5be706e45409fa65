"""Who read which version of a secret: what the audit log taught, first and last time only, so that it stays small.

A vault's secrets are spread over blobs by a hash of their names: a pass rewrites those alone that learned something.
Learning the same again changes nothing, so that a pass that is repeated does no harm.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Self

import msgspec

from rekey.audit.access import FORBIDDEN, Access, Caller
from rekey.blobs import read_tagged, replace, translated
from rekey.errors import NotYetError

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

PREFIX = "audit/readers/"
READ = "SecretGet"
"""Key Vault's name of what shows a value."""
SHARDS = 64
TRIES = 20

MOST_CALLERS = 50
"""Of one version, and as many again that were only refused; those seen last are kept."""
MOST_VERSIONS = 20
"""Of one secret; those that somebody got come first: a refused caller may name any version."""
MOST_REFUSED_ONLY = 100
"""Secrets of one blob that nobody got: a refused caller may name any secret."""
MOST_ADDRESSES = 10
SLOW = timedelta(minutes=10)
"""How far the last of many reads of whatever is newest may lag: nobody asks for it to the minute."""


class How(StrEnum):
    """What became of a read."""

    READ = "read"
    DISABLED = "disabled"
    """Refused because the version is disabled, to somebody with the right to read."""
    REFUSED = "refused"


class Reader(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One caller of one version, "" of reads that named none: the first and the last time, and from where."""

    version: str
    caller: Caller
    how: How
    first: datetime
    last: datetime
    addresses: tuple[str, ...] = ()

    @classmethod
    def of(cls, access: Access) -> Self:
        """Return what one access teaches."""
        return cls(
            version=access.version,
            caller=access.caller,
            how=_how(access),
            first=access.first,
            last=access.last,
            addresses=(access.address,) if access.address else (),
        )

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what tells it from others; a person's sign-in name may change."""
        return self.version, self.caller.app_id, self.caller.object_id, self.how

    def and_(self, later: "Reader") -> "Reader":
        """Return both as one."""
        addresses = dict.fromkeys((*self.addresses, *later.addresses))
        return msgspec.structs.replace(
            self,
            first=min(self.first, later.first),
            last=max(self.last, later.last),
            addresses=tuple(addresses)[:MOST_ADDRESSES],
        )


class _Shard(msgspec.Struct, frozen=True, omit_defaults=True):
    secrets: dict[str, tuple[Reader, ...]] = {}


class Readers:
    """What is known of all vaults' readers, in the container names.CONTAINER; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def learn(self, vault: str, accesses: Sequence[Access]) -> None:
        """Take in who read what; other operations, and reads of what isn't there, teach nothing."""
        taught = sorted((a for a in accesses if _teaches(a)), key=lambda a: _number(a.secret))
        for number, group in groupby(taught, key=lambda a: _number(a.secret)):
            await self._learn(_blob(vault, number), list(group))

    async def of(self, vault: str, secret: str) -> Mapping[str, tuple[Reader, ...]]:
        """Return the readers of each version, "" for reads that named none, those seen last first."""
        with translated("readers"):
            shard, _etag = await self._read(_blob(vault, _number(secret.lower())))
        found: dict[str, tuple[Reader, ...]] = {}
        for reader in sorted(shard.secrets.get(secret.lower(), ()), key=lambda r: r.last, reverse=True):
            found[reader.version] = (*found.get(reader.version, ()), reader)
        return found

    async def _learn(self, blob: str, accesses: Sequence[Access]) -> None:
        for _ in range(TRIES):
            with translated("readers"):
                shard, etag = await self._read(blob)
                learned = _learned(shard, accesses)
                if not _news(shard, learned):
                    return
                if await replace(self._container, blob, msgspec.json.encode(learned), etag) is not None:
                    return
        raise NotYetError("readers-busy", f"{blob} changes too often")

    async def _read(self, blob: str) -> tuple[_Shard, str]:
        body, etag = await read_tagged(self._container, blob) or (b"", "")
        return (msgspec.json.decode(body, type=_Shard) if body else _Shard()), etag


def _teaches(access: Access) -> bool:
    return bool(access.operation == READ and access.secret) and (access.allowed() or access.status == FORBIDDEN)


def _how(access: Access) -> How:
    if access.allowed():
        return How.READ
    return How.DISABLED if access.disabled else How.REFUSED


def _blob(vault: str, number: int) -> str:
    return f"{PREFIX}{vault.lower()}/{number:02}.json"


def _number(secret: str) -> int:
    return hashlib.sha256(secret.encode()).digest()[0] % SHARDS


def _learned(shard: _Shard, accesses: Iterable[Access]) -> _Shard:
    secrets = {name: {reader.key: reader for reader in readers} for name, readers in shard.secrets.items()}
    for access in accesses:
        known, reader = secrets.setdefault(access.secret, {}), Reader.of(access)
        known[reader.key] = known[reader.key].and_(reader) if reader.key in known else reader
    return _Shard(_least_refused({name: _bounded(known.values()) for name, known in secrets.items()}))


def _bounded(readers: Iterable[Reader]) -> tuple[Reader, ...]:
    """Return those to keep: whoever was only refused never takes the place of somebody who read."""
    newest = sorted(readers, key=_weight, reverse=True)
    versions = list(dict.fromkeys(reader.version for reader in newest))[:MOST_VERSIONS]
    kept: dict[tuple[str, bool], list[Reader]] = {}
    for reader in newest:
        if reader.version in versions:
            kept.setdefault((reader.version, reader.how == How.REFUSED), []).append(reader)
    return tuple(sorted((r for some in kept.values() for r in some[:MOST_CALLERS]), key=lambda r: r.key))


def _weight(reader: Reader) -> tuple[bool, datetime]:
    return reader.how != How.REFUSED, reader.last


def _least_refused(secrets: dict[str, tuple[Reader, ...]]) -> dict[str, tuple[Reader, ...]]:
    refused = [name for name, readers in secrets.items() if all(r.how == How.REFUSED for r in readers)]
    newest = sorted(refused, key=lambda name: max(r.last for r in secrets[name]), reverse=True)
    dropped = set(newest[MOST_REFUSED_ONLY:])
    return {name: readers for name, readers in secrets.items() if name not in dropped}


def _news(before: _Shard, after: _Shard) -> bool:
    """Tell whether it is worth a write. Reads of an exact version always are: a rotation may ask for its last one."""
    if before.secrets.keys() != after.secrets.keys():
        return True
    return any(_moved(before.secrets[name], readers) for name, readers in after.secrets.items())


def _moved(before: tuple[Reader, ...], after: tuple[Reader, ...]) -> bool:
    if [reader.key for reader in before] != [reader.key for reader in after]:
        return True
    return any(
        (a.first, a.addresses) != (b.first, b.addresses) or a.last - b.last >= (timedelta(0) if a.version else SLOW)
        for b, a in zip(before, after, strict=True)
        if a != b
    )
