"""Knows how the tests of activities get a company, and which warnings the Graph SDK raises about itself."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.storage import Azurite, start_azurite
from tests.core import company as companies
from tests.core.company import Company


def pytest_configure(config: pytest.Config) -> None:
    """Let the generated Graph client define its own deprecated classes: every import of a request builder warns."""
    for message in ("GetQueryParameters is deprecated", "This class is deprecated. Please use the generic Request"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Company]:
    """Run a company whose one managed secret is near its expiry, with a storage account."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield running


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Run a storage account."""
    with start_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running
