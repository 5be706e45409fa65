"""Knows how the tests of the core get a company, and which warnings the Graph SDK raises about itself."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.blob.aio import ContainerClient

from local.storage import Azurite, start_azurite
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


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Run a storage account."""
    with start_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
async def container(azurite: Azurite) -> AsyncIterator[ContainerClient]:
    """Return an empty container, made for one test."""
    async with ContainerClient.from_connection_string(azurite.connection_string, f"t{uuid4().hex}") as made:
        await made.create_container()
        yield made
