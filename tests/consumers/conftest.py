"""Knows how the tests of consumer kinds get a company, and which warnings the Graph SDK raises about itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.core import company as companies
from tests.core.company import Company


def pytest_configure(config: pytest.Config) -> None:
    """Let the generated Graph client define its own deprecated classes: every import of a request builder warns."""
    for message in ("GetQueryParameters is deprecated", "This class is deprecated. Please use the generic Request"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """Run a company whose one managed secret is near its expiry."""
    async with companies.company(tmp_path, monkeypatch) as running:
        yield running
