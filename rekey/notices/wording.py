"""How strings and moments from elsewhere are written for people: one line, no tricks, UTC."""

import re
import textwrap
import unicodedata
from datetime import UTC, datetime
from typing import Any

from rekey.model import Notice, decode, encode

LONGEST = 2000
"""Characters of one string in a mail; the rest is cut with "..."."""

WIDTH = 76
"""Columns of the text version, as mail has always been wrapped."""

TRUSTED = frozenset({"what_to_do"})
"""Fields that only Rekey's own code writes: the commands in them stay as they are, so that they can be copied."""

# Month and day names come from here, not from strftime: that depends on the machine's locale.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_LINKED = re.compile(r"\b(https?|ftps?|file|data|javascript|mailto)\s*:|\b(www)\.", re.IGNORECASE)


def moment(when: datetime) -> str:
    """Return e.g. "Saturday, 21 November 2026, 03:59 UTC"; seconds are cut, a naive datetime is taken as UTC."""
    utc = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{_DAYS[utc.weekday()]}, {utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"


def noun(notice: Notice) -> str:
    """Return what people call the credential that the notice is about."""
    kind = notice.credential.kind if notice.credential else ""
    return next((word for word in ("password", "key", "certificate") if word in kind), "credential")


def one_line(text: str) -> str:
    """Return `text` without control, bidi, zero-width, surrogate and line-break characters, spaces collapsed."""
    seen = "".join(" " if _invisible(character) else character for character in text)
    line = " ".join(seen.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def unlinked(text: str) -> str:
    """Return `text` in a form that mail programs don't turn into a link: `https[:]//host`, `www[.]host`.

    Tag values and names are written by people with fewer rights than the readers of the mail have.
    """
    return _LINKED.sub(lambda m: f"{m[1]}[:]" if m[1] else f"{m[2]}[.]", text)


def presentable(notice: Notice) -> Notice:
    """Return the notice with every string on one line and, but for TRUSTED fields, without links."""
    return decode(_each_string(encode(notice)), Notice)


def wrapped(text: str) -> str:
    """Return `text` wrapped at WIDTH; indented lines (commands) and words longer than that stay whole."""
    lines = [part for line in text.splitlines() for part in _wrap(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _wrap(line: str) -> list[str]:
    if line.startswith("    ") or not line.strip():
        return [line.rstrip()]
    hanging = "  " if line.startswith(("- ", "  ")) else ""
    return textwrap.wrap(line, WIDTH, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def _invisible(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "C" or category in {"Zl", "Zp"}


def _each_string(value: Any, field: str = "") -> Any:
    match value:
        case str():
            line = one_line(value)
            return line if field in TRUSTED else unlinked(line)
        case dict():
            return {unlinked(one_line(key)): _each_string(item, key) for key, item in value.items()}
        case list() | tuple():
            return [_each_string(item, field) for item in value]
        case _:
            return value
