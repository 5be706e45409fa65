"""Holds that a turn reads of a vault's audit log what is new, once, and says what it could not read."""

import logging
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from azure.storage.blob.aio import ContainerClient

from rekey.audit import reading
from rekey.audit.splitting import LONGEST
from tests.audit.log_world import (
    NOW,
    ago,
    append,
    blob_name,
    hits,
    lines,
    listed,
    put,
    record,
    state,
    turn,
    unreadable,
)

HOUR = blob_name(NOW)
EARLIER = blob_name(ago(hours=2))


async def test_lines_count_once(logs: ContainerClient, container: ContainerClient) -> None:
    """What was counted isn't counted again, what is appended is, and without news nothing is downloaded."""
    await append(logs, HOUR, lines(record("a"), record("b")))
    first = await turn(logs, container)
    again = await turn(logs, container, NOW + timedelta(minutes=5))
    await append(logs, HOUR, lines(record("a")))
    third = await turn(logs, container, NOW + timedelta(minutes=10))
    assert await hits(container) == {"a": 2, "b": 1}
    assert (first.lines, again.lines, again.read, third.lines) == (2, 0, 0, 1)
    kept = await state(container)
    assert (kept.lines, kept.unreadable, kept.passed) == (3, 0, NOW + timedelta(minutes=10))


async def test_the_older_form_grows_in_place(logs: ContainerClient, container: ContainerClient) -> None:
    """Of a list that has grown before its end only the new records count, and its end alone is no news."""
    await put(logs, HOUR, listed(record("a")))
    await turn(logs, container)
    assert (await turn(logs, container)).read == 0
    await put(logs, HOUR, listed(record("a"), record("b")))
    await turn(logs, container)
    assert await hits(container) == {"a": 1, "b": 1}


async def test_late_blobs_are_read(logs: ContainerClient, container: ContainerClient) -> None:
    """A blob of some hours before, also of another day, counts when it comes after later ones; an older one doesn't."""
    night = datetime(2026, 11, 22, 1, 10, tzinfo=UTC)
    await append(logs, blob_name(night), lines(record("now", night)))
    await turn(logs, container, night)
    await append(logs, blob_name(night - timedelta(hours=5)), lines(record("late", night)))
    await append(logs, blob_name(night - timedelta(hours=9)), lines(record("ancient", night)))
    await turn(logs, container, night + timedelta(minutes=5))
    assert await hits(container) == {"now": 1, "late": 1}


async def test_an_outage_skips_nothing(logs: ContainerClient, container: ContainerClient) -> None:
    """What was written while nobody looked for days is read, from before the last pass on."""
    await turn(logs, container, ago(days=3))
    for days in (2.9, 2, 1):
        await append(logs, blob_name(ago(days=days)), lines(record("a", ago(days=days))))
    await turn(logs, container)
    assert await hits(container) == {"a": 3}


async def test_positions_go_when_nothing_may_come(logs: ContainerClient, container: ContainerClient) -> None:
    """The position in a blob is forgotten a day after anything could be late for it, and not before."""
    await append(logs, HOUR, lines(record("a")))
    await turn(logs, container)
    await turn(logs, container, NOW + timedelta(hours=20))
    await turn(logs, container, NOW + timedelta(hours=20))
    assert list((await state(container)).blobs) == [HOUR]
    for _ in range(2):
        await turn(logs, container, NOW + timedelta(hours=40))
    assert (await state(container)).blobs == {}


async def test_a_clock_that_was_set_back_counts_nothing_twice(
    logs: ContainerClient, container: ContainerClient
) -> None:
    """A pass that begins hours before the last one reads nothing again."""
    await append(logs, HOUR, lines(record("a")))
    for hours in (0, 12, 12, 1):
        await turn(logs, container, NOW + timedelta(hours=hours))
    assert await hits(container) == {"a": 1}


async def test_a_torn_line_waits(logs: ContainerClient, container: ContainerClient) -> None:
    """The last line counts when it is whole, also without an end of line, and is no complaint before."""
    whole = lines(record("a"))
    await append(logs, HOUR, whole[:300])
    torn = await turn(logs, container)
    await append(logs, HOUR, whole[300:].rstrip())
    await turn(logs, container)
    assert await hits(container) == {"a": 1}
    await append(logs, HOUR, b"\r\n" + lines(record("b")))
    await turn(logs, container)
    assert await hits(container) == {"a": 1, "b": 1}
    assert (torn.lines, torn.unreadable, (await state(container)).unreadable) == (0, 0, 0)


async def test_a_line_that_stays_torn_is_told(logs: ContainerClient, container: ContainerClient) -> None:
    """A line that isn't completed in hours counts as unreadable before it is out of sight."""
    await append(logs, blob_name(ago(hours=6)), b'{"time":')
    await turn(logs, container, ago(hours=2))
    assert await unreadable(container) == []
    for minutes in (0, 5):
        await turn(logs, container, NOW + timedelta(minutes=minutes))
    assert [kept.total for kept in await unreadable(container)] == [1]


async def test_unreadable_lines_are_kept(
    logs: ContainerClient, container: ContainerClient, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no record is kept with its place and what is wrong with it, is counted and logged, and stops nothing."""
    garbage = b'\xff{"time": 1}\n'
    await append(logs, HOUR, lines(record("a")) + garbage + b"x" * (LONGEST + 7) + b"\n" + lines(record("b")))
    with caplog.at_level(logging.WARNING, "rekey.audit"):
        read = await turn(logs, container)
    (kept,) = await unreadable(container)
    assert await hits(container) == {"a": 1, "b": 1}
    assert (kept.vault, kept.total, read.unreadable, (await state(container)).unreadable) == ("contoso", 2, 2, 2)
    first, long = kept.first
    assert (first.blob, first.offset, first.length) == (HOUR, len(lines(record("a"))), len(garbage) - 1)
    assert first.text == '\ufffd{"time": 1}'
    assert first.problem
    assert (long.length, len(long.text), "longer" in long.problem) == (LONGEST + 1, 4096, True)
    (line,) = [msgspec.json.decode(r.message) for r in caplog.records if r.name == "rekey.audit"]
    assert (line["event"], line["lines"], line["offset"]) == ("audit-lines-unreadable", 2, first.offset)


@pytest.mark.parametrize("size", [1, 2, 3], ids=["shorter", "as long", "longer"])
async def test_a_replaced_log_is_noticed(
    logs: ContainerClient, container: ContainerClient, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    """A log that was cut off or written anew is told of once, and read again from its beginning."""
    await append(logs, HOUR, lines(record("a"), record("b")))
    await turn(logs, container)
    await put(logs, HOUR, lines(*[record("c")] * size))
    with caplog.at_level(logging.WARNING, "rekey.audit"):
        await turn(logs, container)
    await turn(logs, container)
    groups = (await state(container)).groups.values()
    assert [(g.operations, g.times) for g in groups if g.rule == "log-changed"] == [(("LogChanged",), 1)]
    assert await hits(container) == {"a": 1, "b": 1, "c": size}
    events = [msgspec.json.decode(r.message) for r in caplog.records if r.name == "rekey.audit"]
    assert [(line["event"], line["blob"]) for line in events] == [("audit-log-changed", HOUR)]


@pytest.mark.parametrize("left", [0, 100])
async def test_a_log_cut_off_within_its_first_line_is_told_of_once(
    logs: ContainerClient, container: ContainerClient, left: int
) -> None:
    """Where nothing of what replaced a log can be read yet, the next turn doesn't notice it anew."""
    await append(logs, HOUR, lines(record("a")))
    await turn(logs, container)
    await put(logs, HOUR, lines(record("b"))[:left])
    for _ in range(2):
        await turn(logs, container)
    assert [g.times for g in (await state(container)).groups.values() if g.rule == "log-changed"] == [1]


async def test_a_blob_that_went_is_no_error(logs: ContainerClient, container: ContainerClient) -> None:
    """A blob that retention removed, before a turn or since it was listed, stops nothing."""
    for name in (EARLIER, HOUR):
        await append(logs, name, lines(record("a")))
    await turn(logs, container)
    await logs.delete_blob(EARLIER)
    await append(logs, HOUR, lines(record("b")))
    await turn(logs, container)
    assert await hits(container) == {"a": 2, "b": 1}


async def test_a_turn_is_bounded(
    logs: ContainerClient, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too much for one turn is read in several, each line once, and only the last one says that all was seen."""
    monkeypatch.setattr(reading, "CHUNK", 1000)
    monkeypatch.setattr(reading, "MOST_BYTES", 2500)
    for hour in (EARLIER, HOUR):
        await append(logs, hour, lines(*[record("a")] * 5))
    turns = [await turn(logs, container)]
    while turns[-1].more:
        assert (await state(container)).passed is None
        turns.append(await turn(logs, container))
    assert await hits(container) == {"a": 10}
    assert len(turns) == 4
    assert all(one.read <= 3000 for one in turns)
    assert (await state(container)).passed == NOW


async def test_a_first_pass_that_takes_long_skips_nothing(
    logs: ContainerClient, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first pass found and had no time for is read hours later, when it would be too old to begin with."""
    monkeypatch.setattr(reading, "CHUNK", 1000)
    monkeypatch.setattr(reading, "MOST_BYTES", 1000)
    for hour in (EARLIER, HOUR):
        await append(logs, hour, lines(record("a"), record("a")))
    started = NOW
    while (await turn(logs, container, started)).more:
        started += timedelta(hours=9)
    assert await hits(container) == {"a": 4}
