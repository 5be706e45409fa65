"""Runs the project's own rules over every file that is, or is about to be, in git."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.lints import annotations, boundaries, determinism, durable_calls, machine, sentences, unsafe_options
from tools.lints.source import Finding, Source

ROOT = Path(__file__).parent.parent
PYTHON_RULES = (
    determinism.check,
    durable_calls.check,
    boundaries.check,
    unsafe_options.check,
    annotations.check,
    sentences.check,
)


def lint(path: str, text: str) -> Iterator[Finding]:
    """Judge one file; `path` is relative to the project's root and decides which rules apply."""
    yield from machine.check(path, text)
    if path.endswith(".py"):
        try:
            source = Source(path, text)
        except SyntaxError as error:
            yield Finding(path, error.lineno or 1, "syntax", error.msg)
            return
        for rule in PYTHON_RULES:
            yield from rule(source)


def _paths() -> list[str]:
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({path for path in listed.split("\0") if path and (ROOT / path).is_file()})


def _texts() -> Iterator[tuple[str, str]]:
    for path in _paths():
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # an image has no rules


def main() -> int:
    """Print the findings, sorted; 1 if there are any."""
    findings = sorted(finding for path, text in _texts() for finding in lint(path, text))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
