"""Counts the lines of a vault's audit log: what was the same within a minute becomes one access.

Each line is decoded once, and only what no line has said before is looked at any closer: applications repeat
themselves.
"""

from datetime import UTC, datetime

import msgspec

from rekey.audit import record as records
from rekey.audit.access import CHALLENGED, Access, Caller
from rekey.audit.operations import SENSITIVE, kept

MOST_KNOWN = 10_000
"""Different lines remembered: callers choose what is in a URI, and none of them may fill the memory."""

MINUTE = 60
_NOBODY = Caller()
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Seen(msgspec.Struct):
    first: datetime
    last: datetime
    times: int = 1


type _Minutes = dict[int, _Seen]


class Tally:
    """The accesses of one vault so far. `lines` counts the records, those that nobody asks for among them."""

    def __init__(self, vault: str) -> None:
        self.lines = 0
        self._vault = vault.lower()
        self._known: dict[object, _Minutes | None] = {}
        self._seen: dict[Access, _Minutes] = {}

    def add(self, line: bytes) -> None:
        """Count one record; ValueError if it is none, and then nothing is counted."""
        record = records.read(line)
        moment = record.time if record.time.tzinfo is UTC else records.utc(record.time)
        said = _said(record)
        try:
            minutes = self._known[said]
        except KeyError:
            minutes = self._learned(said, record)
        self.lines += 1
        if minutes is not None:
            _count(minutes, moment)

    def accesses(self) -> list[Access]:
        """Return what was done, each thing with how often it was within its minute, in order of time."""
        found = [
            msgspec.structs.replace(access, first=seen.first, last=seen.last, times=seen.times)
            for access, minutes in self._seen.items()
            for seen in minutes.values()
        ]
        return sorted(found, key=lambda access: access.first)

    def _learned(self, said: object, record: records.Record) -> _Minutes | None:
        access = self._access(record)
        minutes = None if access is None else self._seen.setdefault(access, {})
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[said] = minutes
        return minutes

    def _access(self, record: records.Record) -> Access | None:
        """Return what the record is about, without times; None if no rule and nobody else asks for it."""
        status, caller = records.status(record), records.caller(record)
        unasked = not kept(record.operation) or status == CHALLENGED
        if unasked or (caller == _NOBODY and record.operation not in SENSITIVE):
            return None
        secret, version = records.about(record)
        return Access(
            vault=self._vault,
            operation=record.operation,
            status=status,
            caller=caller,
            first=_NEVER,
            last=_NEVER,
            secret=secret,
            version=version,
            address=records.plain(record.address),
            disabled=records.disabled(record),
        )


def _count(minutes: _Minutes, moment: datetime) -> None:
    minute = int(moment.timestamp()) // MINUTE
    seen = minutes.get(minute)
    if seen is None:
        minutes[minute] = _Seen(moment, moment)
        return
    seen.times += 1
    if moment < seen.first:
        seen.first = moment
    elif moment > seen.last:
        seen.last = moment


def _said(record: records.Record) -> object:
    """Return all that a record says of an access, but when it was."""
    return (
        record.operation,
        record.address,
        record.identity,
        record.properties,
        record.signature,
        record.description,
    )
