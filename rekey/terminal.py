"""How text gets to a terminal: nothing in it moves the cursor or colours the screen, columns line up, times are UTC."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TextIO

OK, FINDINGS, UNUSABLE = 0, 1, 2
"""Exit codes: all is well; something needs somebody, or can't be reached; what was asked can't be used, as argparse."""


def write(line: str, stream: TextIO | None = None) -> None:
    """Write a line to a stream, by default standard output; what it can't show is escaped."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def note(text: str) -> None:
    """Write a remark to standard error."""
    write(f"note: {harmless(text)}", sys.stderr)


def complain(text: str, code: int = UNUSABLE) -> int:
    """Write what went wrong to standard error and return the exit code."""
    write(f"rekey: {harmless(text)}", sys.stderr)
    return code


def harmless(text: object) -> str:
    """Return text on one line, with whatever a terminal would obey, or hide, written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Return the lines of a table, columns two spaces apart, no wider than they need to be."""
    cells = [tuple(headings), *(tuple("" if c is None else harmless(c) for c in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def moment(text: object) -> str:
    """Return an RFC 3339 time as `2026-11-21 07:39` (UTC), "" for none; what is no time is shown as it is."""
    if not text:
        return ""
    try:
        return f"{datetime.fromisoformat(str(text)).astimezone(UTC):%Y-%m-%d %H:%M}"
    except ValueError:
        return harmless(text)
