"""A company for each test, with what is to go wrong in it."""

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
