"""What is known of a vault's secrets while its log is judged: their tags, and which rotation made which version.

Everything here is younger than the accesses it is held against: a log comes minutes late, and by an older look at the
tags, the reader of a version that is new would seem to ask for an old one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rekey import legacy_tags, names, tag_values
from rekey.audit.access import Access
from rekey.audit.operations import CHANGES, READS, REMOVALS
from rekey.audit.ports import Known, Watched
from rekey.clients import Clients
from rekey.errors import InputError, PermanentError, RekeyError
from rekey.policy import policy_owners, written_ids
from rekey.settings import Settings
from rekey.tag_reading import TAG_CREDENTIAL, TAG_READERS

if TYPE_CHECKING:
    from rekey.records import Entry, Record
    from rekey.vault import Vault, Version

KEPT = 300.0
"""Seconds that a look at a vault or a secret is good for."""
KEPT_IDENTITY = 3600.0
GIVEN_UP = timedelta(hours=1)
"""A vault that can't be looked at for so long is judged without: it may be gone, and that is the news in its log."""
FOREVER = float("inf")
SECOND = timedelta(seconds=1)
"""What Key Vault's times of creation are cut to."""
AT_ONCE = 8

log = logging.getLogger("rekey.audit")

type Secrets = dict[str, Watched]


async def known(clients: Clients, vault: str, accesses: Sequence[Access]) -> Known:
    """Return what there is to know for judging these accesses to a vault that settings allow, or the staging vault.

    NotYetError or PermanentError if it can't be known now. What only Rekey itself did needs no look at the vault.
    """
    own = await clients.remember("audit own ids", KEPT_IDENTITY, lambda: _own(clients))
    if vault.lower() == clients.settings.staging_vault.lower():
        return Known(own=own, closed=True)
    readers = clients.settings.audit.readers.get(vault.lower())
    judged = Known(own=own, readers=None if readers is None else frozenset(readers))
    others = [access for access in accesses if access.secret and not judged.is_own(access.caller)]
    return replace(judged, secrets=await _Look(clients, vault.lower(), others).secrets()) if others else judged


async def _own(clients: Clients) -> frozenset[str]:
    """Return the ids that Rekey has in vaults, by its token and, where settings name an identity, by them."""
    from rekey.azure_errors import translated

    with translated("the app's own identity"):
        me = await clients.caller("vault")
    ids = (me.object_id, clients.settings.identities.get("vault", ""))
    return frozenset(one.lower() for one in ids if one)


class _Look:
    """One look at a vault, as young as what is judged by it."""

    def __init__(self, clients: Clients, vault: str, accesses: Sequence[Access]) -> None:
        self._clients = clients
        self._vault = vault
        self._accesses = accesses
        self._since = max(access.last for access in accesses)

    async def secrets(self) -> Secrets:
        """Return what is known of the vault's secrets that say something of themselves; nothing of a vault given up."""
        seen = f"audit seen {self._vault}"
        try:
            found = await self._seen()
        except RekeyError as error:
            if datetime.now(UTC) - await self._clients.remember(seen, FOREVER, _now) < GIVEN_UP:
                raise
            log.warning("vault %s: its log is judged without its secrets' tags: %s", self._vault, error.code)
            return {}
        await self._clients.remember(seen, FOREVER, _now, anew=True)
        return found

    async def _seen(self) -> Secrets:
        """Look closer where a managed secret was asked for a version, and at what lost its tags or is deleted."""
        listed = await self._young("listing", self._listing)
        managed = {name for name, watched in listed.items() if watched.managed}
        asked = {a.secret for a in self._accesses if a.operation in READS and a.version}
        changed, removed = self._did(CHANGES), self._did(REMOVALS)
        closer = await self._closer((asked & managed) | (changed - managed), listed)
        return listed | closer | {name: await self._deleted(name) for name in removed - set(listed)}

    def _did(self, operations: Container[str]) -> set[str]:
        return {access.secret for access in self._accesses if access.operation in operations and access.allowed()}

    async def _listing(self) -> Secrets:
        vault = await self._open()
        return {
            one.name.lower(): watched
            async for one in vault.listing()
            if (watched := of_tags(one.tags, self._clients.settings)) != Watched()
        }

    async def _closer(self, secrets: Iterable[str], listed: Secrets) -> Secrets:
        limit = asyncio.Semaphore(AT_ONCE)

        async def look(secret: str) -> tuple[str, Watched]:
            async with limit:
                versions = await self._young(f"versions of {secret}", lambda: self._versions(secret))
                return secret, await self._of_versions(secret, versions, listed.get(secret, Watched()))

        return dict(await asyncio.gather(*map(look, sorted(secrets))))

    async def _deleted(self, secret: str) -> Watched:
        vault = await self._open()
        tags = await self._young(f"deleted {secret}", lambda: vault.tags_of_deleted(secret))
        return of_tags(tags, self._clients.settings)

    async def _versions(self, secret: str) -> "list[Version]":
        vault = await self._open()
        try:
            return await vault.versions(secret)
        except PermanentError as error:
            if error.code == "not-found":
                return []
            raise

    async def _of_versions(self, secret: str, versions: "Sequence[Version]", listed: Watched) -> Watched:
        """A version that somebody else made without tags is one of a managed secret nevertheless."""
        settings = self._clients.settings
        of_each = (of_tags(version.tags, settings) for version in reversed(versions))
        watched = listed if listed.managed else next((w for w in of_each if w.managed), listed)
        _, rotation_id = written_ids(versions[-1].tags if versions else None)
        record = await self._record(rotation_id) if rotation_id else None
        return published(watched, self._vault, secret, versions[-1], record) if record else watched

    async def _record(self, rotation_id: str) -> "Record | None":
        from rekey.records import Records

        return await Records(self._clients.container()).read(rotation_id)

    async def _open(self) -> "Vault":
        from rekey.vault import Vault

        return Vault(self._clients.vault(self._vault), self._vault)

    async def _young[T](self, what: str, look: Callable[[], Awaitable[T]]) -> T:
        """Return what `look` finds, or found after the last access."""

        async def dated() -> tuple[datetime, T]:
            return datetime.now(UTC), await look()

        name = f"audit {self._vault} {what}"
        taken, found = await self._clients.remember(name, KEPT, dated)
        if taken < self._since:
            _, found = await self._clients.remember(name, KEPT, dated, anew=True)
        return found


async def _now() -> datetime:
    return datetime.now(UTC)


def of_tags(tags: Mapping[str, str], settings: Settings) -> Watched:
    """Return what tags say of a secret; a list of readers that can't be used is none."""
    try:
        readers = frozenset(tag_values.guids(tags[TAG_READERS])) if TAG_READERS in tags else None
    except InputError:
        readers = None
    managed = any(tag in tags for tag in (TAG_CREDENTIAL, *legacy_tags.CREDENTIAL_TAGS))
    return Watched(managed=managed, readers=readers, owners=policy_owners(tags, settings))


def published(watched: Watched, vault: str, secret: str, newest: "Version", record: "Record") -> Watched:
    """Return it with what the record says, if that is of this secret's newest version; whoever may tag may name any."""
    from rekey.records import OPEN

    version = next((e.detail["version"] for e in reversed(record.entries) if _publishes(e)), "")
    if (record.vault.lower(), record.secret.lower(), version) != (vault, secret, newest.id):
        return watched
    in_grace = record.state == OPEN and not record.did(names.RETIRE_OLD_CREDENTIAL)
    return replace(
        watched,
        current=newest.id.lower(),
        previous=record.old_version.lower(),
        rotation=record.rotation_id,
        switched=newest.created + SECOND,
        in_grace=in_grace,
    )


def _publishes(entry: "Entry") -> bool:
    return entry.step == names.SET_SECRET_VERSION and entry.outcome == "ok"
