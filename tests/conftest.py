"""Knows what tests of many folders share: a storage account, an empty container in it, a small company."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.blob.aio import ContainerClient

from local.storage import Azurite, start_azurite
from tests.core import company as companies
from tests.core.company import Company
from tests.dealing import dealt


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deal the tests out to the processes of this run, if there are several."""
    if workers := getattr(config, "workerinput", None):
        items[:] = dealt(items, [item.nodeid for item in items], workers["workercount"])


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Run one storage account for all tests of a process."""
    with start_azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
async def container(azurite: Azurite) -> AsyncIterator[ContainerClient]:
    """Return an empty container, made for one test."""
    async with ContainerClient.from_connection_string(azurite.connection_string, f"t{uuid4().hex}") as made:
        await made.create_container()
        yield made


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """Run a company whose one managed secret is near its expiry, in the test's own process."""
    async with companies.company(tmp_path, monkeypatch) as running:
        yield running
