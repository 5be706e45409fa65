"""A company for each test, with what is to go wrong in it, and chance that can be repeated."""

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.storage import AzuriteMissingError
from tests.faults.rotating import Rotating

type Begin = Callable[..., Rotating]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Begin]:
    """Make a running company; its arguments are those of Rotating."""
    with ExitStack() as stack:

        def make(**how: Any) -> Rotating:
            try:
                return stack.enter_context(Rotating(tmp_path, **how))
            except AzuriteMissingError as error:
                pytest.skip(str(error))

        yield make


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Choose as FAULTS_SEED says, else anew each time; a failure shows the seed that repeats it."""
    seed = os.environ.get("FAULTS_SEED") or str(random.SystemRandom().randrange(10**6))
    sys.stdout.write(f"FAULTS_SEED={seed}\n")
    return random.Random(f"{seed} {request.node.name}")  # noqa: S311 - to be repeated, not to be unpredictable
