"""Performs what a page tells a developer to do, on a copy of the project: writes its files, makes its changes.

A block ```` ```python file=path ```` is a new file. A block ```` ```diff edit=path ```` changes one: lines that begin
with a space or a minus stand in it exactly once, those with a plus are added.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```\w+ (?P<verb>file|edit)=(?P<path>\S+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_PARTS = ("activities", "docs", "local", "orchestrators", "rekey", "tests", "triggers", "function_app.py", "host.json")
_MORE = ("pyproject.toml", "README.md")
_TYPES = ".mypy_cache"
_NODE = Path("local", "azurite", "node_modules")


@dataclass(frozen=True)
class Step:
    """One thing that the page says to do: to write a file, or to change one."""

    verb: str
    path: str
    body: str

    def perform(self, project: Path) -> None:
        """Do it; AssertionError if the file isn't as the page expects it."""
        file = project / self.path
        if self.verb == "file":
            assert not file.exists(), f"{self.path} is there already"
            file.write_text(self.body, encoding="utf-8")
            return
        text = file.read_text(encoding="utf-8")
        before, after = self._lines(" -"), self._lines(" +")
        assert text.count(before) == 1, f"{self.path} has {text.count(before)} times, not once:\n{before}"
        file.write_text(text.replace(before, after), encoding="utf-8")

    def _lines(self, kept: str) -> str:
        return "".join(f"{line[1:]}\n" for line in self.body.splitlines() if line[:1] in kept)


def steps(page: str) -> list[Step]:
    """Return what the page says to do, in its order."""
    return [Step(found["verb"], found["path"], found["body"]) for found in _BLOCK.finditer(page)]


def copied(folder: Path) -> Path:
    """Return a copy of the project in that folder, without what is installed into it."""
    for part in (*_PARTS, *_MORE):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("node_modules", "__pycache__", ".*"))
        else:
            shutil.copy(source, folder / part)
    (folder / _NODE).symlink_to(ROOT / _NODE)
    return folder


def with_checked_types(project: Path) -> None:
    """Give a copy what mypy knows of files that are as they were, by their content, if it has been run here."""
    if (ROOT / _TYPES).exists():
        shutil.copytree(ROOT / _TYPES, project / _TYPES)


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module in the copy, as a developer would."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def judged(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy, up to the first that fails."""
    return run(project, "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments)
