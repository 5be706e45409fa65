"""Traces of the machine that a change was made on; they mean nothing to anybody else."""

import re
from collections.abc import Iterator

from tools.lints.source import Finding

RULE = "machine-path"
# Spelled in pieces, so that this file is clean too.
TRACES = re.compile(rf"(?<![\w.\-/])/{'work'}/|\.{'library'}\b")


def check(path: str, text: str) -> Iterator[Finding]:
    """Find such traces in any text file, whatever its language."""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := TRACES.search(line):
            yield Finding(path, number, RULE, f"{found.group()} belongs to one machine, not to the project")
