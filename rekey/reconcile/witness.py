"""Asks all who know of a rotation that left something, afresh each time: its record, the durable engine, the vaults."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from rekey import names
from rekey.errors import InputError, NotYetError, PermanentError
from rekey.operator_view import Instance
from rekey.reconcile.leftovers import Evidence, Known
from rekey.reconcile.memory import Reference, hashed
from rekey.reconcile.standing import DEAD, standing
from rekey.records import OPEN, Entry, Record, Records

if TYPE_CHECKING:
    from rekey.starting import DurableClient
    from rekey.vault import Vault, Version


class Testimony(msgspec.Struct, frozen=True, kw_only=True):
    """What the record of a rotation says, and whether anything will walk it again."""

    evidence: Evidence
    record: Record | None = None


class Witness:
    """One part's way to ask. `references` are what the newest versions of all allowed vaults claimed this night.

    `is_gone` tells whether the credential that a version claims was retired on purpose, without a successor.
    """

    def __init__(
        self,
        records: Records,
        engine: "DurableClient",
        vault: "Callable[[str], Vault]",
        deployment: str,
        references: Iterable[Reference],
        gone: "Callable[[Reference], Awaitable[bool]]",
    ) -> None:
        self._records = records
        self._engine = engine
        self._vault = vault
        self._deployment = deployment
        self.is_gone = gone
        self._current = frozenset(r.key for r in references if r.key)

    async def testimony(self, rotation_id: str) -> Testimony:
        """Return what is known of that rotation now; the engine's errors are nobody's to catch here."""
        try:
            record = await readable(self._records, rotation_id)
        except UnreadableError:
            return Testimony(evidence=Evidence.UNREADABLE)
        if record is None:
            return Testimony(evidence=Evidence.MISSING)
        return Testimony(evidence=await self._evidence(rotation_id, record), record=record)

    async def known(self, said: Testimony, key_id: str, *, everywhere: bool) -> Known:
        """Return what is known of a credential that this rotation made, its times and its place at the issuer aside."""
        versions = await self._versions(said.record) if said.record and said.evidence is not Evidence.ALIVE else None
        return Known(
            evidence=said.evidence,
            published=said.record is not None and _published(said.record, key_id),
            current=hashed(key_id) in self._current,
            mentioned=any(version.tags.get(names.TAG_KEY_ID) == key_id for version in versions or ()),
            contested=said.record is not None and await self._contested(said.record),
            staged=False,
            everywhere=everywhere and bool(versions),
            owned=False,
            age=None,
            watched=None,
        )

    async def lock_out(self, rotation_id: str, what: str) -> None:
        """Write down what is going to be removed; an attempt that still generates can't commit from now on."""
        record = await self._records.read(rotation_id)
        if record is not None and record.state == OPEN:
            await self._records.begin_generating(rotation_id, f"reconcile {uuid4()}")
        entry = Entry(step=names.RECONCILE, outcome="ok", at=datetime.now(UTC), detail={"removing": what})
        await self._records.add(rotation_id, entry)

    def is_current(self, key_id: str) -> bool:
        """Tell whether the newest version of some secret claims to hold that credential."""
        return hashed(key_id) in self._current

    async def _evidence(self, rotation_id: str, record: Record) -> Evidence:
        if record.deployment != self._deployment or record.rotation_id != rotation_id:
            return Evidence.FOREIGN
        if record.state != OPEN:
            return Evidence.CLOSED
        instance = await instance_of(self._engine, record.instance_id)
        dead = standing(rotation_id, instance, datetime.now(UTC)) in DEAD
        return Evidence.DEAD if dead else Evidence.ALIVE

    async def _versions(self, record: Record) -> "list[Version] | None":
        """Return all versions of its secret; None if they can't be had, or if it isn't the secret it was then."""
        try:
            found = await self._vault(record.vault).versions(record.secret)
        except (InputError, PermanentError):
            return None
        return found if any(version.id == record.old_version for version in found) else None

    async def _contested(self, record: Record) -> bool:
        mine = (record.vault.lower(), record.secret.lower())
        summaries = await self._records.listing(OPEN)
        return any(
            (s.vault.lower(), s.secret.lower()) == mine for s in summaries if s.rotation_id != record.rotation_id
        )


class UnreadableError(Exception):
    """The record is there and holds something else."""


async def readable(records: Records, rotation_id: str) -> Record | None:
    """Return the record, None if there is none; UnreadableError instead of trying again for ever."""
    try:
        return await records.read(rotation_id)
    except NotYetError as error:
        if error.code != "malformed-answer":
            raise
        raise UnreadableError from None


async def instance_of(engine: "DurableClient", instance_id: str) -> Instance | None:
    """Return the instance, None if the engine has none of that id."""
    state = await engine.get_orchestration_state(instance_id, fetch_payloads=True)
    return Instance.of(state) if state is not None else None


def _published(record: Record, key_id: str) -> bool:
    """Only the committed credential can have been published; a record without one proves nothing either way."""
    return record.did(names.SET_SECRET_VERSION) and (record.issued is None or record.issued.key_id == key_id)
