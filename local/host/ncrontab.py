"""Cron expressions as NCrontab reads them, the library under Azure's timer triggers: what it takes, when it fires.

Unlike Unix cron, day of month and day of week must both fit, a range may be written backwards (`5-1` is `1-5`), a
step without a range goes to the field's end (`5/10`), a name may be cut (`j` is January), and Sunday is 0 only.
https://github.com/atifaziz/NCrontab
"""

import calendar
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NEVER = datetime.max.replace(tzinfo=UTC)
"""When a schedule that has no further occurrence occurs: NCrontab answers .NET's largest date."""

_MONTHS = tuple(month.name.title() for month in calendar.Month)
_WEEKDAYS = tuple(calendar.Day((number - 1) % 7).name.title() for number in range(7))
# The Gregorian calendar repeats after 400 years, weekdays included; what doesn't occur in this time never does.
_CYCLE_YEARS = 400
# int.Parse takes a sign and white space other than the blank, which separates fields.
_INTEGER = re.compile(r"[\t-\r]*[+-]?[0-9]+[\t-\r]*")
_LARGEST = 2**31 - 1


class NotCronError(Exception):
    """An expression that NCrontab refuses; the message says which part, and what was expected."""


@dataclass(frozen=True)
class _Field:
    """One position of an expression: which values it may have, and their names if they have some."""

    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()

    def parse(self, text: str) -> frozenset[int]:
        """Return the values that `text` names."""
        try:
            return frozenset(value for part in self._parts(text) for value in self._values(part))
        except NotCronError as error:
            raise NotCronError(f"{text!r} is no {self.name}: {error}") from None

    def _parts(self, text: str) -> Iterable[str]:
        return text.split(",") if text.find(",") > 0 else [text]

    def _values(self, text: str) -> Iterable[int]:
        span, slash, every = text.partition("/")
        if slash and not span:
            raise NotCronError(f"expected *, a value or a range before the / of {text!r}")
        step = max(_integer(every), 1) if slash else 1
        if span == "*":
            return range(self.first, self.last + 1, step)
        if span.find("-") > 0:
            start, _, end = span.partition("-")
            low, high = sorted((self._value(start), self._value(end)))
            return range(low, high + 1, step)
        value = self._value(span)
        return range(value, self.last + 1, step) if slash else [value]

    def _value(self, text: str) -> int:
        expected = f"expected {self.first} to {self.last}" + (
            f" or one of {', '.join(self.names)}" if self.names else ""
        )
        if text[:1].isascii() and text[:1].isdigit():
            if not self.first <= (value := _integer(text)) <= self.last:
                raise NotCronError(f"{value} is out of range, {expected}")
            return value
        for number, name in enumerate(self.names, self.first):
            if text and name.lower().startswith(text.lower()):
                return number
        raise NotCronError(f"{text!r} is no value, {expected}")


_SECOND = _Field("second", 0, 59)
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True)
class Crontab:
    """A parsed expression: the values of each field."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @property
    def within_minutes(self) -> bool:
        """Whether it occurs in every minute, and more than once in it."""
        spans = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        whole = all(len(span) == field.last - field.first + 1 for span, field in zip(spans, _FIELDS, strict=True))
        return whole and len(self.seconds) > 1

    def after(self, moment: datetime) -> datetime:
        """Return the first occurrence after an aware moment, in its zone; NEVER if there is none."""
        start = moment.replace(microsecond=0)
        try:
            # NCrontab counts in whole seconds: the second that `moment` is in has passed.
            start += timedelta(seconds=1)
        except OverflowError:
            return NEVER
        for year, month, day in self._dates(start):
            floor = (start.hour, start.minute, start.second) if (year, month, day) == _date(start) else (0, 0, 0)
            time = next((time for time in self._times(floor) if time >= floor), None)
            if time is not None:
                return datetime(year, month, day, *time, tzinfo=moment.tzinfo)
        return NEVER

    def _dates(self, start: datetime) -> Iterator[tuple[int, int, int]]:
        """Yield the days that fit, from the start's on, in a whole cycle of the calendar."""
        for year in range(start.year, min(start.year + _CYCLE_YEARS, NEVER.year) + 1):
            for month in sorted(self.months):
                for day in sorted(self.days):
                    if (year, month, day) >= _date(start) and _weekday(year, month, day) in self.weekdays:
                        yield year, month, day

    def _times(self, floor: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
        for hour in sorted(hour for hour in self.hours if hour >= floor[0]):
            for minute in sorted(self.minutes):
                for second in sorted(self.seconds):
                    yield hour, minute, second


def parse_crontab(expression: str) -> Crontab:
    """Parse six fields {second minute hour day month day-of-week}, or five without the second; else NotCronError."""
    texts = [text for text in expression.split(" ") if text]
    if len(texts) == len(_FIELDS):
        return Crontab(frozenset({0}), *(field.parse(text) for field, text in zip(_FIELDS, texts, strict=True)))
    fields = (_SECOND, *_FIELDS)
    if len(texts) != len(fields):
        raise NotCronError(f"it has {len(texts)} fields, expected six: {', '.join(field.name for field in fields)}")
    return Crontab(*(field.parse(text) for field, text in zip(fields, texts, strict=True)))


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text) or abs(int(text)) > _LARGEST:
        raise NotCronError(f"{text!r} is no whole number")
    return int(text)


def _date(moment: datetime) -> tuple[int, int, int]:
    return moment.year, moment.month, moment.day


def _weekday(year: int, month: int, day: int) -> int | None:
    """Return the weekday with Sunday as 0; None for a day that the month doesn't have."""
    try:
        return datetime(year, month, day, tzinfo=UTC).isoweekday() % 7
    except ValueError:
        return None
