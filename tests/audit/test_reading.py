"""Holds that reading comes to the same whatever the chunks and turns, and needs no more memory for a longer log."""

import time
import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rekey.audit import reading
from rekey.audit.access import Access
from rekey.audit.log_blobs import LogBlob
from rekey.audit.reading import Reading
from rekey.audit.state import Position
from rekey.audit.tally import Tally
from rekey.audit.unreadable import Unreadable
from tests.audit.log_world import NOW, VAULT, ago, lines, listed, record

MIB = 1024 * 1024

RECORDS = st.lists(
    st.builds(
        record,
        st.sampled_from(["app", "db", "x"]),
        st.sampled_from([NOW, ago(seconds=10), ago(minutes=3)]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=8,
)
SPOILED = st.lists(st.sampled_from([b"garbage", b"{}", b"", b"[1]", b"\xff\xfe", b'{"time":"never"}']), max_size=4)


@dataclass
class Body:
    """A blob in memory."""

    body: bytes
    offsets: list[int] = field(default_factory=list)

    async def read(self, _blob: LogBlob, offset: int, length: int) -> bytes | None:
        """Return those bytes."""
        self.offsets.append(offset)
        return self.body[offset : offset + length]


async def read(body: bytes, monkeypatch: pytest.MonkeyPatch, chunk: int, most: int) -> "Outcome":
    """Read a blob in so many turns as it takes."""
    monkeypatch.setattr(reading, "CHUNK", chunk)
    monkeypatch.setattr(reading, "MOST_BYTES", most)
    tally, positions, unreadable = Tally(VAULT), dict[str, Position](), list[Unreadable]()
    while True:
        turn = Reading(Body(body), tally, positions)
        done = await turn.take(LogBlob("b", len(body), "e", NOW), final=False)
        positions, unreadable = turn.positions, unreadable + turn.unreadable
        if done:
            return tally.accesses(), [(one.offset, one.text) for one in unreadable], positions


type Outcome = tuple[list[Access], list[tuple[int, str]], dict[str, Position]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    records=RECORDS,
    spoiled=SPOILED,
    old=st.booleans(),
    chunk=st.integers(min_value=1, max_value=3000),
    most=st.integers(min_value=1, max_value=5000),
)
async def test_it_comes_to_the_same_whatever_the_chunks_and_turns(
    monkeypatch: pytest.MonkeyPatch,
    records: list[dict[str, object]],
    spoiled: list[bytes],
    *,
    old: bool,
    chunk: int,
    most: int,
) -> None:
    """The accesses, what is unreadable and the position are those of one reading at once."""
    body = listed(*records) if old else lines(*records[:3]) + b"\n".join([*spoiled, b""]) + lines(*records[3:])
    whole = await read(body, monkeypatch, MIB, MIB)
    # Each turn gets at least one record further.
    assert await read(body, monkeypatch, chunk, max(most, 2000)) == whole
    assert sum(access.times for access in whole[0]) == len(records)


async def test_a_longer_log_needs_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as long a log takes the same memory: a chunk or some, however long the day."""
    monkeypatch.setattr(reading, "CHUNK", MIB // 4)
    monkeypatch.setattr(reading, "MOST_BYTES", 1024 * MIB)
    assert await peak(10) < 1.2 * await peak(1)


async def peak(mebibytes: int) -> int:
    """Return the most bytes that were in memory while so long a log was read."""

    class Endless:
        async def read(self, _blob: LogBlob, offset: int, length: int) -> bytes:
            begin = offset % len(block)
            return (block * (2 + length // len(block)))[begin : begin + length]

    block = lines(*(record(f"s{number}") for number in range(50)))
    size = mebibytes * MIB // len(block) * len(block)
    tally = Tally(VAULT)
    tracemalloc.start()
    try:
        turn = Reading(Endless(), tally, {})
        assert await turn.take(LogBlob("b", size, "e", NOW), final=False)
        assert tally.lines == size // len(block) * 50
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_turn_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its time is over a turn begins no further chunk, but it reads one at least."""
    monkeypatch.setattr(reading, "CHUNK", 1000)
    monkeypatch.setattr(time, "monotonic", iter(range(0, 1000, 30)).__next__)
    body = Body(lines(*[record()] * 9))
    turn = Reading(body, Tally(VAULT), {})
    assert not await turn.take(LogBlob("b", len(body.body), "e", NOW), final=False)
    assert body.offsets == [0]
    assert 0 < turn.positions["b"].offset <= 1000


async def test_a_blob_that_ends_early_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that has fewer bytes than were listed counts as far as it goes, and ends the reading of it."""
    monkeypatch.setattr(reading, "CHUNK", 500)
    body, tally = lines(record(), record()), Tally(VAULT)
    turn = Reading(Body(body), tally, {})
    assert await turn.take(LogBlob("b", len(body) + 900, "e", NOW), final=False)
    assert (tally.lines, turn.positions["b"].etag) == (2, "")
    assert turn.positions["b"].offset == len(body)
