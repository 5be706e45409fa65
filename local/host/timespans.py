"""Time spans as .NET's TimeSpan.Parse reads them: what host.json and constant timer schedules contain."""

import re
from datetime import timedelta

# [days.]hours:minutes[:seconds[.fraction]], days:hours:minutes:seconds[.fraction], or days alone.
_CLOCK = re.compile(r"(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")
_FOUR = re.compile(r"(\d{1,8}):(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,7}))?")
_DAYS = re.compile(r"\d{1,8}")
# Three numbers whose first is no hour are days, hours and minutes: `24:00:00` is 24 days, a known trap of timers.
_THREE = re.compile(r"(\d{1,8}):(\d{1,2}):(\d{1,2})()()")
_LIMITS = (23, 59, 59)
_LARGEST_DAYS = 10_675_199


class NotTimeSpanError(Exception):
    """A text that isn't a time span; the message quotes it and says what was expected."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a time span; expected [days.]hours:minutes:seconds")


def parse_timespan(text: str) -> timedelta:
    """Return the span that a text such as 00:01:30 or 1.00:00:00 means; NotTimeSpanError if none."""
    sign = -1 if (stripped := text.strip()).startswith("-") else 1
    body = stripped.removeprefix("-")
    if _DAYS.fullmatch(body):
        return _span(text, sign, [body])
    for pattern in (_CLOCK, _FOUR, _THREE):
        match = pattern.fullmatch(body)
        if match and all(int(part or 0) <= limit for part, limit in zip(match.groups()[1:4], _LIMITS, strict=False)):
            return _span(text, sign, match.groups())
    raise NotTimeSpanError(text)


def _span(text: str, sign: int, parts: "tuple[str | None, ...] | list[str]") -> timedelta:
    days, hours, minutes, seconds, fraction = [*(part or "0" for part in parts), *"0000"][:5]
    if int(days) > _LARGEST_DAYS:
        raise NotTimeSpanError(text)
    micros = int(fraction.ljust(7, "0")) // 10
    return sign * timedelta(int(days), int(seconds), micros, 0, int(minutes), int(hours))
