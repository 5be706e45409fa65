"""Timer triggers: by schedule, missed, at the start, one at a time, in error."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host.ncrontab import NEVER
from local.host.schedules import BEGINNING, Constant, Status, Timer, advance, begin, read_timer
from local.host.settings_error import SettingsError
from local.host.timer_triggers import TimerListener, TimerRecords
from local.host.timespans import NotTimeSpanError, parse_timespan
from local.host.wire import TimerCall
from tests.host.hosting import RunningHost

type MakeHost = Callable[..., RunningHost]

_NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)
_DAY = timedelta(days=1)


def _timer(schedule: str = "0 0 3 * * *", **binding: Any) -> Timer:
    return read_timer("nightly", {"schedule": schedule, **binding}, {})


def test_new_timer_waits_for_its_schedule() -> None:
    """Without a kept status the next occurrence counts from now."""
    assert begin(_timer(), None, _NOW) == Status(BEGINNING, datetime(2026, 5, 6, 3, tzinfo=UTC), _NOW)


@pytest.mark.parametrize("last", [datetime(2026, 5, 3, 3, tzinfo=UTC), BEGINNING])
def test_missed_occurrence_is_past_due(last: datetime) -> None:
    """What was kept and lies in the past is next, whether the timer had fired before or only been seen."""
    kept = Status(last, datetime(2026, 5, 4, 3, tzinfo=UTC), datetime(2026, 5, 3, 4, tzinfo=UTC))
    assert begin(_timer(), kept, _NOW) == kept


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 0 4 * * *", Status(BEGINNING, datetime(2026, 5, 6, 4, tzinfo=UTC), _NOW)),
        ("0 0 3 7 * *", Status(BEGINNING, datetime(2026, 5, 7, 3, tzinfo=UTC), datetime(2026, 5, 3, 3, tzinfo=UTC))),
    ],
)
def test_changed_schedule_makes_up_for_nothing(schedule: str, expected: Status) -> None:
    """With another schedule than the kept one, an occurrence in the past is left out, one in the future is kept."""
    last = datetime(2026, 5, 3, 3, tzinfo=UTC)
    assert begin(_timer(schedule), Status(last, last + _DAY, last), _NOW) == expected


def test_early_clock_does_not_repeat_an_occurrence() -> None:
    """An invocation a little before its time counts as that occurrence; one by hand or at the start doesn't."""
    timer, due = _timer(), datetime(2026, 5, 6, 3, tzinfo=UTC)
    early = due - timedelta(milliseconds=5)
    status = Status(BEGINNING, due, _NOW)
    assert advance(timer, status, early, scheduled=True) == Status(due, due + _DAY, due)
    assert advance(timer, status, early, scheduled=False) == Status(early, due, early)


@pytest.mark.parametrize(
    ("schedule", "binding", "monitored"),
    [
        ("0 * * * * *", {}, True),
        ("*/30 * * * * *", {}, False),
        ("*/30 0 * * * *", {}, True),
        ("00:01:00", {}, True),
        ("00:00:59", {}, False),
        ("0 0 3 * * *", {"useMonitor": False}, False),
        ("0 0 3 * * *", {"useMonitor": None}, True),
    ],
)
def test_frequent_timers_are_not_monitored(schedule: str, binding: dict[str, Any], *, monitored: bool) -> None:
    """What occurs more than once a minute isn't kept, whatever the binding says."""
    assert _timer(schedule, **binding).monitored is monitored


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("00:05:00", timedelta(minutes=5)),
        ("1.02:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("6:12", timedelta(hours=6, minutes=12)),
        ("5", timedelta(days=5)),
        ("24:00:00", timedelta(days=24)),
        ("1:02:03:04.5", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        (" -00:00:01.25 ", timedelta(seconds=-1.25)),
    ],
)
def test_time_spans(text: str, span: timedelta) -> None:
    """Time spans are read as .NET reads them, 24 hours as 24 days included."""
    assert parse_timespan(text) == span


@pytest.mark.parametrize("text", ["", "soon", "00:60:00", "00:00:60", "24:00", "1.24:00:00", "1h", "00:00:00.12345678"])
def test_no_time_spans(text: str) -> None:
    """What .NET doesn't read is refused with the text."""
    with pytest.raises(NotTimeSpanError, match="not a time span; expected"):
        parse_timespan(text)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("0 0 25 * * *", "The 'nightly' function is in error: .*'0 0 25.*'25' is no hour"),
        ("daily", "'daily' was not recognized as a valid cron expression .*or time span"),
        ("00:00:00", "no positive time span"),
        ("%MISSING%", "The 'nightly' function is in error: '%MISSING%' names a setting that does not exist"),
    ],
)
def test_wrong_schedules_name_the_function(schedule: str, message: str) -> None:
    """A schedule that can't be used is refused with function, expression and what was expected."""
    with pytest.raises(SettingsError, match=message):
        _timer(schedule)


def test_constant_schedule_that_reaches_past_the_calendar_never_occurs() -> None:
    """An interval that ends after the last year is NEVER."""
    assert Constant(timedelta(days=9_999_999)).after(_NOW) == NEVER


async def _listen_until(done: asyncio.Event, timer: Timer, folder: Path, run: Callable[[TimerCall], Any]) -> None:
    listening = asyncio.create_task(TimerListener(timer, TimerRecords(folder), run).listen())
    await asyncio.wait_for(done.wait(), 20)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_invocations_do_not_overlap(tmp_path: Path) -> None:
    """An invocation that takes longer than the interval holds the next one up, and a failed one doesn't end it."""
    running, most, count, done = 0, 0, 0, asyncio.Event()

    async def run(_: TimerCall) -> bool:
        nonlocal running, most, count
        running, count = running + 1, count + 1
        most = max(most, running)
        await asyncio.sleep(0.03)
        running -= 1
        if count == 3:
            done.set()
        return False

    await _listen_until(done, _timer("00:00:00.01"), tmp_path, run)
    assert most == 1


async def test_interrupted_invocation_is_made_up_for(tmp_path: Path) -> None:
    """An invocation whose host ended before it did is past due at the next start; afterwards the timer is on time."""
    timer = _timer()
    last = datetime(2020, 1, 1, 3, tzinfo=UTC)
    TimerRecords(tmp_path).write("nightly", Status(last, last + _DAY, last))
    calls: list[dict[str, Any]] = []
    for hangs in (True, False):
        done = asyncio.Event()

        async def run(call: TimerCall, hangs: bool = hangs, done: asyncio.Event = done) -> bool:  # noqa: FBT001 (bound)
            calls.append(call.info)
            done.set()
            if hangs:
                await asyncio.Event().wait()
            return True

        await _listen_until(done, timer, tmp_path, run)
    assert [call["IsPastDue"] for call in calls] == [True, True]
    assert calls[1]["ScheduleStatus"]["Next"] == "2020-01-02T03:00:00+00:00"
    kept = TimerRecords(tmp_path).read("nightly")
    assert kept is not None
    assert kept.next > datetime.now(UTC)


def test_damaged_record_begins_anew(tmp_path: Path) -> None:
    """What isn't a status is taken for none."""
    (tmp_path / "timers").mkdir()
    (tmp_path / "timers" / "nightly.json").write_text("{")
    assert TimerRecords(tmp_path).read("nightly") is None


def test_timer_fires_by_its_schedule(make_host: MakeHost) -> None:
    """A schedule of every second from a setting fires again and again; it isn't monitored."""
    host = make_host(SAMPLE_SCHEDULE="* * * * * *", WEBSITE_TIME_ZONE="Asia/Tokyo").start()
    assert "WEBSITE_TIME_ZONE changes nothing" in host.process.output()
    first = host.wait_notes("often", 2)[0]
    assert first["schedule"] == {"AdjustForDST": True}
    assert (first["late"], first["status"]) == (False, {})


def test_missed_occurrence_fires_once_after_a_restart(make_host: MakeHost) -> None:
    """What was due while no host ran fires at the start, late, once; a timer at the start isn't late."""
    host = make_host(SAMPLE_SCHEDULE="0 0 0 1 1 *", SAMPLE_AT_START="1").start()
    (begun,) = host.wait_notes("often", 1)
    assert (begun["late"], begun["status"]["Last"]) == (False, "0001-01-01T00:00:00+00:00")
    record = host.folder / "app" / ".durable" / "timers" / "often.json"
    host.process.wait_for(lambda: '"0001-' not in record.read_text(), "the invocation is kept")
    host.process.stop()
    missed = {"Last": "2020-01-01T00:00:00Z", "Next": "2021-01-01T00:00:00Z", "LastUpdated": "2020-01-01T00:00:00Z"}
    record.write_text(json.dumps(missed))
    host.start()
    (late,) = host.wait_notes("often", 1, late=True)
    assert late["status"]["Next"] == "2021-01-01T00:00:00+00:00"
    host.process.wait_for(lambda: "2021-" not in record.read_text(), "the invocation is kept")
    assert len(host.notes("often")) == 2


def test_function_in_error_leaves_the_others(make_host: MakeHost) -> None:
    """A schedule that isn't one is told at the start and by the function's status; the rest of the app works."""
    host = make_host(SAMPLE_SCHEDULE="0 0 25 * * *").start()
    assert "The 'often' function is in error: the schedule expression '0 0 25 * * *'" in host.process.output()
    (error,) = host.http.get("/admin/functions/often/status").json()["errors"]
    assert "'25' is no hour" in error
    assert host.http.post("/admin/functions/often", json={}).status_code == 404
    assert host.http.get("/api/greet/me").status_code == 200
