"""What operators are shown of a secret's readers: the JSON of `GET /api/secrets/{vault}/{name}/readers`, and of plans.

Rekey's own reads are left out. Who was only refused is shown as that: a caller may try any name.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from rekey.audit.readers import How, Reader
from rekey.audit.usage import RECENT, Usage, recent, usage
from rekey.clients import Clients


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One caller of one version: its ids, a person's sign-in name, first and last time, from where."""

    app_id: str
    object_id: str
    name: str
    how: How
    first: datetime
    last: datetime
    addresses: tuple[str, ...]


class OfVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The readers of one version, those seen last first; `version` is "" for reads that named none."""

    version: str
    readers: tuple[Seen, ...]


class SecretReaders(msgspec.Struct, frozen=True, kw_only=True):
    """A secret's readers. `passed` is up to when the log was read, `unseen` why there may be others, "" if none."""

    vault: str
    secret: str
    passed: datetime | None
    unseen: str
    versions: tuple[OfVersion, ...]


async def readers(clients: Clients, vault: str, secret: str) -> SecretReaders:
    """Return everybody known; ScopeError for a vault that settings don't allow, NotYetError, PermanentError."""
    clients.settings.scope_of(vault)
    found = await usage(clients, vault, secret)
    return SecretReaders(
        vault=vault, secret=secret, passed=found.passed, unseen=found.unseen, versions=_by_version(found.readers)
    )


async def lately(clients: Clients, vault: str, secret: str) -> tuple[tuple[OfVersion, ...], str]:
    """Return who got a version within the last 30 days, and in a sentence what speaks against that being all."""
    found = await usage(clients, vault, secret)
    return _by_version(recent(found, datetime.now(UTC))), _remark(found)


def _remark(found: Usage) -> str:
    days = RECENT.days
    return f"Who read the secret in the last {days} days isn't known for sure: {found.unseen}." if found.unseen else ""


def _by_version(found: Sequence[Reader]) -> tuple[OfVersion, ...]:
    """Return them by version, the one that was read last first, as they come."""
    by_version: dict[str, list[Seen]] = {}
    for reader in found:
        by_version.setdefault(reader.version, []).append(_seen(reader))
    return tuple(OfVersion(version=version, readers=tuple(some)) for version, some in by_version.items())


def _seen(reader: Reader) -> Seen:
    return Seen(
        app_id=reader.caller.app_id,
        object_id=reader.caller.object_id,
        name=reader.caller.name,
        how=reader.how,
        first=reader.first,
        last=reader.last,
        addresses=reader.addresses,
    )
