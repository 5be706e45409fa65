"""One turn of reading a vault's audit log: what is new is counted and judged, and one write makes all of it count.

Before that write nothing is done that may not be done again: a turn that dies, or that another one overtakes, is as if
it had not been, and the next one reads the same lines.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec.structs import replace

from rekey.audit.access import Access, Caller
from rekey.audit.log_blobs import LogBlob, LogBlobs
from rekey.audit.meanings import LOG_CHANGED
from rekey.audit.ports import Hit
from rekey.audit.reading import Counter, Reading
from rekey.audit.state import Position, State, States
from rekey.audit.unreadable import keep
from rekey.model.audit import Glance, Place, Read

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

LOOK_BACK = timedelta(hours=6)
"""How late a line may come: Azure Monitor promises minutes."""
REMEMBERED = timedelta(hours=24)
"""How much longer a position is kept than it is needed: a clock that was set back makes nothing count twice."""

_log = logging.getLogger("rekey.audit")


class Tallying(Counter, Protocol):
    """Counts records: Tally."""

    @property
    def lines(self) -> int:
        """How many records were counted."""
        ...

    def accesses(self) -> list[Access]:
        """Return what they come to."""
        ...


type Weigh = Callable[[Sequence[Access]], Awaitable[Sequence[Hit]]]
"""Judges accesses, and makes of them what else is made of them; may be done again."""

type Count = Callable[[State, Sequence[Hit]], State]
"""Adds hits to the groups of a state."""


class Turn:
    """What it takes to read one place's log: the logs' container and the one that Rekey keeps its own blobs in."""

    def __init__(self, logs: "ContainerClient", own: "ContainerClient", weigh: Weigh, count: Count) -> None:
        self._logs = logs
        self._own = own
        self._weigh = weigh
        self._count = count

    async def run(self, glance: Glance, tally: Tallying) -> Read:
        """Read on, as far as one turn may; NotYetError `audit-overtaken` if another one was faster: nothing is done."""
        place, states = glance.place, States(self._own)
        state, etag = await states.read(place)
        blobs = LogBlobs(self._logs, place)
        horizon = _horizon(state, blobs, glance.started)
        reading = Reading(blobs, tally, state.blobs)
        more = not await _read(reading, await blobs.since(horizon, glance.started), glance.started - LOOK_BACK)
        hits = [*_changes(place, reading.replaced, glance.started), *await self._judged(tally.accesses())]
        if reading.spoiled:
            await keep(self._own, place, etag, reading.spoiled, reading.unreadable)
        after = replace(
            self._count(state, hits),
            passed=state.passed if more else glance.started,
            blobs=_recent(reading.positions, blobs, horizon - REMEMBERED),
            lines=state.lines + tally.lines,
            unreadable=state.unreadable + reading.spoiled,
        )
        await states.write(place, after, etag)
        _say(place, reading)
        return Read(read=reading.bytes, lines=tally.lines, unreadable=reading.spoiled, hits=_times(hits), more=more)

    async def _judged(self, accesses: Sequence[Access]) -> Sequence[Hit]:
        return await self._weigh(accesses) if accesses else ()


def _horizon(state: State, blobs: LogBlobs, now: datetime) -> datetime:
    """Return from when on blobs may have something new: before the last pass that left nothing, lines came in time."""
    if state.passed:
        return min(now, state.passed) - LOOK_BACK
    begun = filter(None, map(blobs.hour, state.blobs))  # the first pass isn't through yet
    return min(now - LOOK_BACK, *begun, now)


async def _read(reading: Reading, blobs: Sequence[LogBlob], late: datetime) -> bool:
    """Tell whether all of it was read; what is from before `late` is about to be out of sight."""
    for blob in blobs:
        if not await reading.take(blob, final=blob.hour <= late):
            return False
    return True


def _recent(positions: dict[str, Position], blobs: LogBlobs, since: datetime) -> dict[str, Position]:
    return {name: position for name, position in positions.items() if (hour := blobs.hour(name)) and hour >= since}


def _changes(place: Place, replaced: Sequence[LogBlob], now: datetime) -> list[Hit]:
    access = Access(vault=place.vault, operation="LogChanged", status=200, caller=Caller(), first=now, last=now)
    return [Hit(rule=LOG_CHANGED, access=access) for _ in replaced]


def _times(hits: Sequence[Hit]) -> int:
    return sum(hit.access.times for hit in hits)


def _say(place: Place, reading: Reading) -> None:
    """Log what nobody should find out by chance."""
    for blob in reading.replaced:
        _warn(event="audit-log-changed", vault=place.vault, blob=blob.name, size=blob.size)
    if reading.spoiled:
        first = reading.unreadable[0]
        _warn(
            event="audit-lines-unreadable",
            vault=place.vault,
            lines=reading.spoiled,
            blob=first.blob,
            offset=first.offset,
            problem=first.problem,
        )


def _warn(**line: str | int) -> None:
    _log.warning("%s", msgspec.json.encode(line).decode())
