"""Knows how tests start demos, and that nothing is left of them."""

import shutil
from collections.abc import Iterator

import pytest

from tests.demo.run import Run, Starts


@pytest.fixture
def demo() -> Iterator[Starts]:
    """Return what starts a demo; in the end it is gone, and so is its folder."""
    runs: list[Run] = []

    def start(*arguments: str) -> Run:
        runs.append(Run(*arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.child.terminate()
        run.child.communicate(timeout=60)
        if "kept in" in run.progress:
            shutil.rmtree(run.folder)
