"""Reads what is new in the blobs of an audit log, a chunk at a time: each record once, in the order it was written."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from typing import Protocol

from rekey.audit.log_blobs import LogBlob
from rekey.audit.splitting import LONGEST, Piece, Splitter
from rekey.audit.state import Position
from rekey.audit.unreadable import MOST_KEPT, Unreadable

CHUNK = 4 * 1024 * 1024
"""Bytes of one request, and about what is in memory at a time."""
MOST_BYTES = 64 * 1024 * 1024
MOST_SECONDS = 20.0
"""What one reading takes at most, a chunk more or less; an activity must end well before its host gives it up."""

_MARK = 64
"""Bytes before a position whose digest tells whether they are still the same."""


class Source(Protocol):
    """Where bytes come from: LogBlobs."""

    async def read(self, blob: LogBlob, offset: int, length: int) -> bytes | None:
        """Return those bytes, None if the blob is gone."""
        ...


class Counter(Protocol):
    """Where records go: Tally."""

    def add(self, line: bytes) -> None:
        """Count a record; ValueError if it is none."""
        ...


class Reading:
    """What one turn read: `positions` after it, `bytes`, what was `unreadable` (the first of `spoiled`).

    `replaced` names the blobs that no longer hold what was read of them: they were read anew.
    """

    def __init__(self, source: Source, counter: Counter, positions: Mapping[str, Position]) -> None:
        self.positions = dict(positions)
        self.bytes = 0
        self.spoiled = 0
        self.unreadable: list[Unreadable] = []
        self.replaced: list[LogBlob] = []
        self._source = source
        self._counter = counter
        self._began = time.monotonic()

    async def take(self, blob: LogBlob, *, final: bool) -> bool:
        """Read what is new in a blob; False if that is too much for one turn. `final`: its last line stays as it is."""
        try:
            return await self._follow(blob, self.positions.get(blob.name, Position()), final=final)
        except _ReplacedError:
            self.replaced.append(blob)
            self.positions.pop(blob.name)
            return await self._follow(blob, Position(), final=final)

    async def _follow(self, blob: LogBlob, position: Position, *, final: bool) -> bool:
        if blob.size < position.offset:
            raise _ReplacedError
        if blob.etag == position.etag and not (final and blob.size > position.offset):
            return True
        cursor, left = _Cursor(blob, position), blob.size > 0
        while left and not self._spent():
            chunk = await cursor.read(self._source)
            if chunk is None:
                return True
            self.bytes += len(chunk)
            for piece in cursor.feed(chunk):
                self._add(blob, piece)
            left = cursor.at < blob.size
            if not left:
                self._end(blob, cursor.splitter, final=final)
            self.positions[blob.name] = cursor.position()
        return not left

    def _spent(self) -> bool:
        return self.bytes >= MOST_BYTES or (self.bytes > 0 and time.monotonic() - self._began > MOST_SECONDS)

    def _add(self, blob: LogBlob, piece: Piece) -> None:
        problem = f"longer than {LONGEST} bytes" if piece.overlong else self._counted(piece)
        if problem:
            self._spoil(blob, piece, problem)

    def _end(self, blob: LogBlob, splitter: Splitter, *, final: bool) -> None:
        """Take the last line if it is whole; a torn one is completed later, or never."""
        piece = splitter.last()
        if piece is None:
            return
        problem = self._counted(piece)
        if problem and final:
            self._spoil(blob, piece, problem)
        if final or not problem:
            splitter.accept_last()

    def _counted(self, piece: Piece) -> str:
        """Count a record, or return what is wrong with it."""
        try:
            self._counter.add(piece.raw)
        except ValueError as problem:
            return str(problem) or type(problem).__name__
        return ""

    def _spoil(self, blob: LogBlob, piece: Piece, problem: str) -> None:
        self.spoiled += 1
        if len(self.unreadable) < MOST_KEPT:
            self.unreadable.append(Unreadable.of(blob.name, piece.start, piece.raw, problem))


class _Cursor:
    """Goes through one blob from a position on; `at` is the offset of the next byte to read."""

    def __init__(self, blob: LogBlob, position: Position) -> None:
        self.blob = blob
        self.at = position.offset
        self.splitter = Splitter(position.offset, records=position.records)
        self._from = position
        self._seen = b""  # what was read last, from before the end of what was handed out

    async def read(self, source: Source) -> bytes | None:
        """Return the next bytes, None if the blob is gone; _ReplacedError if those before the position changed."""
        before = min(_MARK, self.at) if self.at == self._from.offset else 0
        length = min(CHUNK, self.blob.size - self.at)
        chunk = await source.read(self.blob, self.at - before, length + before)
        if not chunk or len(chunk) < before + min(length, 1):
            return None
        if before and _digest(chunk[:before]) != self._from.mark:
            raise _ReplacedError
        self._seen += chunk[:before]
        return chunk[before:]

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Hand out the records that these bytes complete."""
        self.at += len(chunk)
        yield from self.splitter.feed(chunk)
        self._seen = (self._seen + chunk)[-(self.at - self.splitter.done + _MARK) :]

    def position(self) -> Position:
        """Return how far records were handed out."""
        done = self.splitter.done
        mark = self._seen[: len(self._seen) - (self.at - done)][-_MARK:]
        return Position(
            offset=done,
            mark=_digest(mark),
            records=self.splitter.records,
            etag=self.blob.etag if self.at >= self.blob.size else "",
        )


class _ReplacedError(Exception):
    """The blob isn't what was read before."""


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]
