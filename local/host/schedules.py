"""When a timer trigger occurs, and whether an occurrence was missed: as the Timers extension computes both.

Times are UTC. The extension takes the machine's time zone, which WEBSITE_TIME_ZONE sets; in Azure, Linux plans that
scale to zero know UTC only, and so this host ignores that setting.
https://github.com/Azure/azure-webjobs-sdk-extensions (Timers: TimerSchedule, ScheduleMonitor)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from local.host.ncrontab import NEVER, NotCronError, parse_crontab
from local.host.settings import resolve
from local.host.settings_error import SettingsError
from local.host.timespans import NotTimeSpanError, parse_timespan

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""The last occurrence of a timer that never fired: .NET's default date."""
_MINUTE = timedelta(minutes=1)


class Schedule(Protocol):
    """Says when a timer occurs next."""

    def after(self, moment: datetime) -> datetime:
        """Return the first occurrence after a moment; NEVER if there is none."""


@dataclass(frozen=True)
class Constant:
    """Occurs again a fixed time after each occurrence."""

    interval: timedelta

    def after(self, moment: datetime) -> datetime:
        """Return the moment one interval later."""
        return moment + self.interval if NEVER - moment > self.interval else NEVER


@dataclass(frozen=True)
class Timer:
    """A timer trigger: its schedule and the two switches of its binding."""

    name: str
    schedule: Schedule
    monitored: bool
    """Whether its last occurrence is kept, so that one that was missed is made up for."""
    run_on_startup: bool


class Status(msgspec.Struct, frozen=True, rename="pascal"):
    """What is kept of a timer; in JSON as the real host keeps it and passes it to the function."""

    last: datetime
    next: datetime
    last_updated: datetime

    def moments(self) -> dict[str, datetime]:
        """Return the times by the names that they have in JSON."""
        return {"Last": self.last, "Next": self.next, "LastUpdated": self.last_updated}


def read_timer(name: str, binding: Mapping[str, Any], environment: Mapping[str, str]) -> Timer:
    """Read a timer trigger's binding; SettingsError names function, expression and what was expected."""
    try:
        expression = resolve(str(binding.get("schedule") or ""), environment)
        schedule, often = _schedule(expression)
    except SettingsError as error:
        raise SettingsError(f"The '{name}' function is in error: {error}") from None
    monitored = binding.get("useMonitor") is not False and not often
    return Timer(name, schedule, monitored, binding.get("runOnStartup") is True)


def _schedule(expression: str) -> tuple[Schedule, bool]:
    """Return the schedule, and whether it occurs more often than once a minute."""
    try:
        crontab = parse_crontab(expression)
    except NotCronError as error:
        not_cron = error
    else:
        return crontab, crontab.within_minutes
    try:
        interval = parse_timespan(expression)
    except NotTimeSpanError as error:
        raise SettingsError(
            f"the schedule expression '{expression}' was not recognized as a valid cron expression ({not_cron})"
            f" or time span ({error})"
        ) from None
    if interval <= timedelta(0):
        # The real host takes it, and fires without a pause.
        raise SettingsError(f"the schedule expression '{expression}' is no positive time span")
    return Constant(interval), interval < _MINUTE


def begin(timer: Timer, kept: Status | None, now: datetime) -> Status:
    """Return the status a timer starts with; its `next` lies before `now` if an occurrence was missed."""
    if kept is None:
        return Status(BEGINNING, timer.schedule.after(now), now)
    base = kept.last if kept.last != BEGINNING else kept.last_updated
    if (expected := timer.schedule.after(base)) == kept.next:
        return kept
    # Another schedule than the one that was kept: what it would have missed isn't made up for.
    if now > expected:
        return Status(BEGINNING, timer.schedule.after(now), now)
    return Status(BEGINNING, expected, base)


def advance(timer: Timer, status: Status, invoked: datetime, *, scheduled: bool) -> Status:
    """Return the status after an invocation that began at `invoked`; `scheduled` if it was for `status.next`."""
    # A clock that wakes early must not make the same occurrence the next one again.
    moment = max(invoked, status.next) if scheduled else invoked
    return Status(moment, timer.schedule.after(moment), moment)
