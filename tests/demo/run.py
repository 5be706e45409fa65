"""A demo in a process of its own, as people start it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.stack import ROOT


class Run:
    """A demo in a process of its own, whose progress is read line by line."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "local.demo", *arguments]
        environment = {**os.environ, "COLUMNS": "100"}
        self.child = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.progress = ""

    def until(self, text: str) -> None:
        """Read progress until it has `text`."""
        assert self.child.stderr
        for line in self.child.stderr:
            self.progress += line
            if text in line:
                return
        pytest.fail(f"ended without {text!r}:\n{self.progress}")

    def result(self) -> tuple[int, dict[str, Any]]:
        """Wait for the end and return exit code and JSON."""
        printed, progress = self.child.communicate(timeout=120)
        self.progress += progress
        found: dict[str, Any] = json.loads(printed.splitlines()[-1])
        return self.child.returncode, found

    @property
    def folder(self) -> Path:
        """The run's folder, which the demo names at its start."""
        found = re.search(r"kept in (\S+)/", self.progress)
        assert found, self.progress
        return ROOT / found[1]


type Starts = Callable[..., Run]


def in_order(steps: list[dict[str, Any]]) -> list[str]:
    """Return the steps that succeeded, as they came."""
    return [step["step"] for step in steps if step["outcome"] == "ok"]
