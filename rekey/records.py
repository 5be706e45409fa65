"""The evidence of a rotation: one JSON blob each, guarded by its ETag, kept when instance history is purged.

The record is also where generating commits: whoever holds `generating` may publish what it made, and taking it over is
one conditional write, so that of two attempts at most one result ever counts, however late the other wakes up.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError

from rekey import names
from rekey.blobs import create, translated
from rekey.errors import NotYetError, OvertakenError
from rekey.model import Decision, Issued, Reason, Refusal

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

OPEN, CLOSED = "open", "closed"
TRIES = 20
"""Of a conditional write; consumers are updated side by side and each adds an entry."""

MOST_REFUSALS = 20
"""Callers that one record names as refused the old version."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one step did; a step that keeps failing the same way is one entry with `times`."""

    step: str
    outcome: str
    at: datetime
    detail: Any = None
    code: str = ""
    message: str = ""
    times: int = 1


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rotation's evidence. No secret value is ever in it."""

    rotation_id: str
    instance_id: str
    deployment: str
    vault: str
    secret: str
    reason: Reason
    opened: datetime
    policy_digest: str
    old_version: str
    requested_by: str = ""
    state: str = OPEN
    closed: datetime | None = None
    result: str = ""
    generating: str = ""
    attempts: int = 0
    asked: datetime | None = None
    """When an attempt last asked the issuer for what can't be asked twice; only some kinds do."""
    issued: Issued | None = None
    notes: dict[str, str] = {}
    """By consumer URI: what its kind has to remember between attempts. An id, never a value."""
    decisions: tuple[Decision, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """Readers that were refused the old version while it was disabled and still had its grace."""
    entries: tuple[Entry, ...] = ()

    def did(self, step: str) -> bool:
        """Tell whether that step has succeeded."""
        return any(e.step == step and e.outcome == "ok" for e in self.entries)

    def may_enable(self) -> bool:
        """Tell whether the old version is disabled in its grace, so that it may be enabled for who still needs it.

        Never after a leak, and never once retiring began.
        """
        begun = any(e.step == names.RETIRE_OLD_CREDENTIAL for e in self.entries)
        return self.state == OPEN and self.reason != Reason.LEAK and self.did(names.DISABLE_OLD_VERSION) and not begun


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing shows of a record without reading it."""

    rotation_id: str
    vault: str
    secret: str
    state: str
    result: str
    opened: str


class Records:
    """The records in the app's container. Errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def open(self, record: Record) -> None:
        """Create the record; one that is there already (a repeated step) stays as it is."""
        with translated("record"):
            await create(
                self._container,
                names.record_blob(record.rotation_id),
                msgspec.json.encode(record),
                metadata=_metadata(record),
            )

    async def read(self, rotation_id: str) -> Record | None:
        """Return the record, None if there is none."""
        with translated("record"):
            found = await self._read(rotation_id)
        return found[0] if found else None

    async def change(self, rotation_id: str, change: Callable[[Record], Record]) -> Record:
        """Apply `change` to the record as it is now and return what it became; NotYetError if there is none."""
        for _ in range(TRIES):
            with translated("record"):
                found = await self._read(rotation_id)
                if found is None:
                    raise NotYetError("no-record", f"rotation {rotation_id} has no record yet")
                changed = change(found[0])
                if changed == found[0] or await self._written(changed, found[1]):
                    return changed
        raise NotYetError("record-busy", f"the record of rotation {rotation_id} changes too often")

    async def add(self, rotation_id: str, entry: Entry) -> None:
        """Add what a step did."""
        await self.change(rotation_id, lambda r: msgspec.structs.replace(r, entries=with_entry(r.entries, entry)))

    async def close(self, rotation_id: str, result: str) -> None:
        """End the record; one that is closed already keeps its result."""
        await self.change(rotation_id, lambda record: _closed(record, result))

    async def begin_generating(self, rotation_id: str, attempt: str) -> Record:
        """Take generating over for `attempt` and return the record as it was before, unless a result is committed."""
        before: list[Record] = []

        def take_over(record: Record) -> Record:
            before.append(record)
            if record.issued:
                return record
            return msgspec.structs.replace(record, generating=attempt, attempts=record.attempts + 1)

        await self.change(rotation_id, take_over)
        return before[-1]

    async def commit_issued(self, rotation_id: str, attempt: str, issued: Issued) -> None:
        """Make `issued` the rotation's one result; OvertakenError if another attempt has taken over."""

        def commit(record: Record) -> Record:
            if record.generating != attempt:
                raise OvertakenError
            return msgspec.structs.replace(record, issued=issued)

        await self.change(rotation_id, commit)

    async def asking(self, rotation_id: str, attempt: str) -> None:
        """Remember that the issuer is asked now; OvertakenError if another attempt has taken over."""
        now = datetime.now(UTC)

        def ask(record: Record) -> Record:
            if record.generating != attempt:
                raise OvertakenError
            return msgspec.structs.replace(record, asked=now)

        await self.change(rotation_id, ask)

    async def keep_note(self, rotation_id: str, uri: str, note: str) -> None:
        """Remember something for a consumer, in place of what was remembered for it before."""
        await self.change(rotation_id, lambda r: msgspec.structs.replace(r, notes={**r.notes, uri: note}))

    async def decide(self, rotation_id: str, decision: Decision) -> Record:
        """Add a decision and return the record; one that was taken already stays as it was taken first."""

        def add(record: Record) -> Record:
            if any((d.kind, d.subject) == (decision.kind, decision.subject) for d in record.decisions):
                return record
            return msgspec.structs.replace(record, decisions=(*record.decisions, decision))

        return await self.change(rotation_id, add)

    async def refuse(self, rotation_id: str, refusals: Sequence[Refusal]) -> Record:
        """Add who was refused the old version and return the record; of each caller the first that came is kept.

        Nothing is added to a rotation that can't enable it any more, or must not: see `may_enable`.
        """

        def add(record: Record) -> Record:
            if not record.may_enable():
                return record
            first = {(r.app_id, r.object_id): r for r in reversed((*record.refusals, *refusals))}
            kept = sorted(first.values(), key=lambda r: r.at)[:MOST_REFUSALS]
            return msgspec.structs.replace(record, refusals=tuple(kept))

        return await self.change(rotation_id, add)

    async def listing(self, state: str = "") -> list[Summary]:
        """Return the records in that state (`open`, `closed`, or "" for all), newest first."""
        with translated("records"):
            blobs = [b async for b in self._container.list_blobs(name_starts_with=names.RECORDS, include=["metadata"])]
        found = [_summary(b.name, b.metadata or {}) for b in blobs]
        return sorted((s for s in found if state in {"", s.state}), key=lambda s: s.opened, reverse=True)

    async def _read(self, rotation_id: str) -> tuple[Record, str] | None:
        try:
            blob = await self._container.get_blob_client(names.record_blob(rotation_id)).download_blob()
            body = await blob.readall()
        except ResourceNotFoundError:
            return None
        return msgspec.json.decode(body, type=Record), blob.properties.etag

    async def _written(self, record: Record, etag: str) -> bool:
        blob = self._container.get_blob_client(names.record_blob(record.rotation_id))
        try:
            await blob.upload_blob(
                msgspec.json.encode(record),
                overwrite=True,
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
                metadata=_metadata(record),
            )
        except ResourceModifiedError:
            return False
        except HttpResponseError as error:
            if error.status_code == 412:
                return False
            raise
        return True


def with_entry(entries: tuple[Entry, ...], entry: Entry) -> tuple[Entry, ...]:
    """Return the entries with one more; one that repeats the last is counted with it."""
    last = entries[-1] if entries else None
    if last and (last.step, last.outcome, last.code, last.detail) == (
        entry.step,
        entry.outcome,
        entry.code,
        entry.detail,
    ):
        return (*entries[:-1], msgspec.structs.replace(last, at=entry.at, message=entry.message, times=last.times + 1))
    return (*entries, entry)


def _closed(record: Record, result: str) -> Record:
    if record.state == CLOSED:
        return record
    return msgspec.structs.replace(record, state=CLOSED, result=result, closed=datetime.now(UTC))


def _metadata(record: Record) -> dict[str, str]:
    return {
        "vault": record.vault,
        "secret": record.secret,
        "state": record.state,
        "result": record.result,
        "opened": record.opened.isoformat(),
    }


def _summary(blob: str, metadata: dict[str, str]) -> Summary:
    rotation_id = blob.removeprefix(names.RECORDS).removesuffix(".json")
    fields = ("vault", "secret", "state", "result", "opened")
    return Summary(rotation_id=rotation_id, **{f: metadata.get(f, "") for f in fields})
