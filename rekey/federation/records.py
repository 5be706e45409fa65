"""The evidence of a federation: one JSON blob each, guarded by its ETag, kept when instance history is purged."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from rekey import blobs, names
from rekey.errors import NotYetError
from rekey.model.federation import Federation, FederationDecision
from rekey.records import Entry, with_entry

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

OPEN, CLOSED = "open", "closed"
TRIES = 20
"""Of a conditional write."""
AT_ONCE = 16
"""Records that are read for a list."""


class FederationRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One federation's evidence; `federation` is the walk as far as the record knows it. No secret is ever in it.

    `asking` is when a request was about to be sent that must not be repeated blindly, by its step.
    """

    federation: Federation
    deployment: str
    opened: datetime
    state: str = OPEN
    closed: datetime | None = None
    result: str = ""
    decisions: tuple[FederationDecision, ...] = ()
    asking: dict[str, datetime] = {}
    entries: tuple[Entry, ...] = ()


class FederationRecords:
    """The records in the app's container. Errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def open(self, record: FederationRecord) -> None:
        """Create the record; one that is there already (a repeated step) stays as it is."""
        with blobs.translated("federation record"):
            body = msgspec.json.encode(record)
            await blobs.create(self._container, names.federation_blob(record.federation.id), body)

    async def read(self, federation_id: str) -> FederationRecord | None:
        """Return the record, None if there is none."""
        found = await self._read(federation_id)
        return found[0] if found else None

    async def all(self) -> list[FederationRecord]:
        """Return every record, newest first."""
        found = await blobs.names_under(self._container, names.FEDERATIONS, "federation records")
        limit = asyncio.Semaphore(AT_ONCE)

        async def read(name: str) -> FederationRecord | None:
            async with limit:
                return await blobs.read_json(self._container, name, FederationRecord, "federation record")

        known = await asyncio.gather(*map(read, found))
        return sorted((record for record in known if record), key=lambda record: record.opened, reverse=True)

    async def change(
        self, federation_id: str, change: Callable[[FederationRecord], FederationRecord]
    ) -> FederationRecord:
        """Apply `change` to the record as it is now and return what it became; NotYetError if there is none."""
        for _ in range(TRIES):
            found = await self._read(federation_id)
            if found is None:
                raise NotYetError("no-record", f"federation {federation_id} has no record yet")
            changed = change(found[0])
            if changed == found[0]:
                return changed
            with blobs.translated("federation record"):
                blob, body = names.federation_blob(federation_id), msgspec.json.encode(changed)
                if await blobs.replace(self._container, blob, body, found[1]) is not None:
                    return changed
        raise NotYetError("record-busy", f"the record of federation {federation_id} changes too often")

    async def add(self, federation_id: str, entry: Entry, federation: Federation | None = None) -> None:
        """Add what a step did, and the walk as it knew it."""

        def added(record: FederationRecord) -> FederationRecord:
            known = federation or record.federation
            return replace(record, federation=known, entries=with_entry(record.entries, entry))

        await self.change(federation_id, added)

    async def ask(self, federation_id: str, step: str) -> None:
        """Remember that `step` asks now for what must not be repeated blindly."""
        now = datetime.now(UTC)
        await self.change(federation_id, lambda r: replace(r, asking={**r.asking, step: now}))

    async def decide(self, federation_id: str, decision: FederationDecision) -> FederationRecord:
        """Add a decision and return the record; one that was taken already stays as it was taken first."""

        def decided(record: FederationRecord) -> FederationRecord:
            if any(one.kind == decision.kind for one in record.decisions):
                return record
            return replace(record, decisions=(*record.decisions, decision))

        return await self.change(federation_id, decided)

    async def close(self, federation_id: str, result: str) -> None:
        """End the record; one that is closed already keeps its result."""

        def closed(record: FederationRecord) -> FederationRecord:
            if record.state == CLOSED:
                return record
            return replace(record, state=CLOSED, result=result, closed=datetime.now(UTC))

        await self.change(federation_id, closed)

    async def _read(self, federation_id: str) -> tuple[FederationRecord, str] | None:
        with blobs.translated("federation record"):
            found = await blobs.read_tagged(self._container, names.federation_blob(federation_id))
            return (msgspec.json.decode(found[0], type=FederationRecord), found[1]) if found else None
