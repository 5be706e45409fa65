"""Timer triggers: waiting for the next occurrence, one invocation at a time, and what is kept of it on disk."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from local.host.schedules import Constant, Status, Timer, advance, begin
from local.host.wire import TimerCall

_LOG = logging.getLogger(__name__)
# Looked at again at least so often: the clock may be set, or the machine may sleep.
_LONGEST_SLEEP = 60.0

type Run = Callable[[TimerCall], Awaitable[bool]]


class TimerRecords:
    """The status of each monitored timer, a JSON file each; Azure keeps them as blobs `timers/<host>/<name>/status`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "timers"

    def read(self, name: str) -> Status | None:
        """Return what is kept of a timer; None if nothing is, or nothing that can be read."""
        try:
            return msgspec.json.decode(self._path(name).read_bytes(), type=Status)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _LOG.warning("what is kept of timer %s can't be read and is begun anew: %s", name, error)
            return None

    def write(self, name: str, status: Status) -> None:
        """Keep a status, whole or not at all; a disk that can't take it doesn't stop the timer, as in the real host."""
        path = self._path(name)
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(msgspec.json.encode(status))
            part.replace(path)
        except OSError as error:
            _LOG.error("the status of timer %s can't be kept: %s", name, error)

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.json"


class TimerListener:
    """Fires one timer until it is cancelled. `run` runs the function and returns whether it ended well."""

    def __init__(self, timer: Timer, records: TimerRecords, run: Run) -> None:
        self._timer = timer
        self._records = records
        self._run = run
        self._status: Status | None = records.read(timer.name) if timer.monitored else None

    async def listen(self) -> None:
        """Make up for a missed occurrence, or run at the start if the binding says so; then by the schedule."""
        now = _now()
        status = self._keep(begin(self._timer, self._status, now))
        if now > status.next:
            _LOG.info("timer %s missed the occurrence at %s", self._timer.name, status.next.isoformat())
            status = await self._fire(status, past_due=True, scheduled=False)
        elif self._timer.run_on_startup:
            status = await self._fire(status, scheduled=False)
        while True:
            await _sleep_until(status.next)
            status = await self._fire(status, scheduled=True)

    def call(self, *, past_due: bool = False) -> TimerCall:
        """Return what the function gets: the status only of a monitored timer."""
        status = self._status if self._timer.monitored else None
        return TimerCall(
            {
                "Schedule": {"AdjustForDST": not isinstance(self._timer.schedule, Constant)},
                "ScheduleStatus": status and {name: moment.isoformat() for name, moment in status.moments().items()},
                "IsPastDue": past_due,
            }
        )

    async def _fire(self, status: Status, *, scheduled: bool, past_due: bool = False) -> Status:
        """Run the function; a failure is logged by whoever ran it and doesn't change the schedule."""
        invoked = _now()
        await self._run(self.call(past_due=past_due))
        # Only now: an invocation that this host doesn't live to see the end of is made up for by the next one.
        return self._keep(advance(self._timer, status, invoked, scheduled=scheduled))

    def _keep(self, status: Status) -> Status:
        if self._timer.monitored and status != self._status:
            self._records.write(self._timer.name, status)
        self._status = status
        return status


async def _sleep_until(moment: datetime) -> None:
    while (left := (moment - _now()).total_seconds()) > 0:  # noqa: ASYNC110 (the clock has no event)
        await asyncio.sleep(min(left, _LONGEST_SLEEP))


def _now() -> datetime:
    return datetime.now(UTC)
