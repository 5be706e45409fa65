"""How values get into a spreadsheet: comma-separated, and nothing in them is taken for a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from rekey.terminal import harmless

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - spreadsheets take the wide ones for formulas, too
"""https://owasp.org/www-community/attacks/CSV_Injection"""


def rows(columns: Sequence[str], values: Iterable[Sequence[object]]) -> Iterator[str]:
    """Return the lines of a table, its headings first."""
    for row in (columns, *values):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(map(cell, row))
        yield line.getvalue()


def cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula: what would begin like one gets an apostrophe in front."""
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case list() | tuple():
            text = "; ".join(map(str, value))
        case _:
            text = str(value)
    return harmless(f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text)
