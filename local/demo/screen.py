"""Knows how the demo looks: live in a terminal, plain lines elsewhere."""

import os
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

from local.company import Mail
from local.demo.calls import short
from local.demo.follow import Step
from local.judge import Check

PLAIN_WIDTH = 110
_NAME_WIDTH = 24
_CHECK_WIDTH = 44
_ASCII = str.maketrans({"✓": "+", "✗": "x", "↻": "~", "▸": ">", "…": "..."})
"""For terminals and files that can't show more."""
_NARROW = 100
"""Columns, below which what was seen of a check stands under its name."""


class Screen:
    """Prints the demo to a stream. Use it as a context manager: it takes its spinner away again."""

    def __init__(self, stream: TextIO) -> None:
        terminal = stream.isatty()
        wide = None if terminal or "COLUMNS" in os.environ else PLAIN_WIDTH
        self._console = Console(file=stream, record=True, highlight=False, width=wide, emoji=False)
        self._ascii = not self._console.encoding.startswith("utf")
        spinner = "line" if self._ascii else "dots"
        self._spinner = Status("", console=self._console, spinner=spinner) if terminal else None
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        if self._spinner:
            self._spinner.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._spinner:
            self._spinner.stop()

    def printed(self) -> str:
        """Return everything printed so far, without control codes."""
        return self._console.export_text(clear=False)

    def title(self, title: str, *lines: str) -> None:
        """Print what this is."""
        self._console.print(f"[bold]{escape(title)}[/]")
        for line in lines:
            self._hanging("", line, "dim")

    def part(self, title: str) -> None:
        """Begin a part."""
        self._console.print()
        self._console.print(f"[bold cyan]{escape(title)}[/]")

    def waiting(self, text: str) -> None:
        """Say what is waited for: in a terminal only, in place of what it said before."""
        if self._spinner:
            self._spinner.update(escape(short(text)[: self._console.width - 4]))

    def began(self, what: str) -> None:
        """Say that something is being started; `done` ends it."""
        self._since = time.monotonic()
        self.waiting(f"starting {what}")

    def done(self, what: str, text: str) -> None:
        """Print that what was begun is there."""
        self._row("[green]✓[/]", what, time.monotonic() - self._since, text)

    def event(self, text: str) -> None:
        """Print what sets all off."""
        self._row("[cyan]▸[/]", "event", None, text)

    def step(self, step: Step, calls: str) -> None:
        """Print a step that is over, and the requests it took."""
        mark = "[green]✓[/]" if step.outcome == "ok" else "[yellow]↻[/]" if "retry" in step.outcome else "[red]✗[/]"
        self._row(mark, step.step, step.seconds, step.detail)
        if calls:
            self._hanging("    ", calls, "dim")

    def witnessed(self, text: str, *, ok: bool) -> None:
        """Print what the demo found out for itself."""
        mark = "[cyan]▸[/]" if ok else "[bold red]✗[/]"
        self._hanging(f"    {mark} ", text, "" if ok else "red")

    def mails(self, mails: Sequence[Mail]) -> None:
        """Print who was told what when."""
        for mail in mails:
            self._hanging(f"  {mail.at:%H:%M:%S}  ", mail.subject)
            self._hanging(" " * 12, f"to {', '.join(mail.recipients())}", "dim")

    def numbers(self, numbers: Mapping[str, int]) -> None:
        """Print how many there were of each."""
        self._hanging("  ", ", ".join(f"{name} {number}" for name, number in numbers.items()))

    def checks(self, checks: Sequence[Check]) -> None:
        """Print what holds and what doesn't."""
        narrow = self._console.width < _NARROW
        for check in checks:
            mark = "[green]✓[/]" if check.ok else "[bold red]✗[/]"
            name = escape(check.name) + ("\n      " if narrow else " " * (_CHECK_WIDTH - len(check.name)))
            self._hanging(f"  {mark} {name}", check.seen, "dim" if check.ok else "red")

    def lines(self, *lines: str) -> None:
        """Print lines; what is before two or more spaces hangs out."""
        for line in lines:
            _, gap, rest = line.partition("  ")
            indent = len(line) - len(rest.lstrip()) if gap else 0
            self._hanging("  " + escape(line[:indent]), line[indent:], ids=True)

    def trouble(self, *lines: str) -> None:
        """Print what went wrong."""
        for line in lines:
            self._hanging("  ", line, "red")

    def quoted(self, *lines: str) -> None:
        """Print lines of a log."""
        for line in lines:
            self._console.print(Text(line, style="dim"), soft_wrap=True)

    def verdict(self, text: str, *, ok: bool) -> None:
        """Print how it ended."""
        self._console.print()
        self._console.print(Text(text, style="bold green" if ok else "bold red"))

    def _row(self, mark: str, name: str, seconds: float | None, text: str) -> None:
        took = "" if seconds is None else f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"
        self._hanging(f"  {mark} [bold]{escape(name):{_NAME_WIDTH}}[/] {took:>6}  ", text)

    def _hanging(self, prefix: str, text: str, style: str = "", *, ids: bool = False) -> None:
        """Print `prefix` (markup) and the text (none), whose further lines begin where its first one does."""
        head = Text.from_markup(prefix)
        indent = " " * len(head.plain.rpartition("\n")[2])
        width = max(20, self._console.width - len(indent))
        lines = textwrap.wrap(text if ids else short(text), width, break_on_hyphens=False)
        whole = head + Text(f"\n{indent}".join(lines), style=style)
        if self._ascii:
            whole.plain = whole.plain.translate(_ASCII)
        self._console.print(whole, soft_wrap=True)
