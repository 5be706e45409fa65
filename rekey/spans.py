"""Reads and writes ISO 8601 durations, of which policy tags use the whole-numbered, positive kind."""

import re
from datetime import UTC, datetime, timedelta

from rekey.errors import InputError
from rekey.model import Span

_PATTERN = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?",
)
_EXPECTED = "an ISO 8601 duration in whole numbers such as P6M, P30D or PT4H, of at most 100 years"
_REFERENCE = datetime(2000, 1, 1, tzinfo=UTC)
_CENTURY = timedelta(days=36525)


def parse(text: str) -> Span:
    """Return the span `text` means; signs, fractions, lower case and more than 100 years are an InputError.

    Zero (PT0S) is a span: whether it makes sense is for the caller to say.
    """
    found = _PATTERN.fullmatch(text)
    if not found:
        raise InputError("duration", text, _EXPECTED)
    years, months, weeks, days, hours, minutes, seconds = (int(n or 0) for n in found.groups())
    days += weeks * 7
    span = Span(months=years * 12 + months, seconds=((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    if span.months > 1200 or span.seconds > _CENTURY.total_seconds() or length(span) > _CENTURY:
        raise InputError("duration", text, _EXPECTED)
    return span


def render(span: Span) -> str:
    """Return `span` as the ISO 8601 duration that `parse` reads back as the same span."""
    date = (f"{span.months}M" if span.months else "") + (f"{span.seconds // 86400}D" if span.seconds >= 86400 else "")
    parts = ((span.seconds % 86400 // 3600, "H"), (span.seconds % 3600 // 60, "M"), (span.seconds % 60, "S"))
    time = "".join(f"{number}{unit}" for number, unit in parts if number)
    return f"P{date}T{time}" if time else f"P{date}" if date else "PT0S"


def words(span: Span) -> str:
    """Return `span` as people say it: `6 months`, `30 days`, `1 day 2 hours`."""
    rest, seconds = divmod(span.seconds, 60)
    rest, minutes = divmod(rest, 60)
    days, hours = divmod(rest, 24)
    parts = ((span.months, "month"), (days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second"))
    return " ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n) or "none"


def length(span: Span) -> timedelta:
    """Return how long `span` is if it begins on 1 January 2000: good for comparing spans, not for dates."""
    return span.after(_REFERENCE) - _REFERENCE
