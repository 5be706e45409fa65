"""Knows how the tests of triggers get settings, a storage account, and hypothesis without a clock."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from azure.storage.blob.aio import BlobServiceClient

from local.storage import Azurite
from rekey.clients import clients
from rekey.records import Records
from rekey.settings import settings
from tests.core.company import Company
from tests.triggers.companies import with_three_vaults
from tests.triggers.durable import FakeDurable

# The machines are shared: how long an example takes says nothing.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

EXAMPLE = Path(__file__).parents[2] / "local.settings.example.json"


@pytest.fixture
def app_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run the app on the example's settings, with the vaults kv-one and kv-two."""
    values: dict[str, Any] = json.loads(EXAMPLE.read_text())["Values"]
    for name, value in {**values, "REKEY_SCOPES": '[{"vaults": ["KV-one", "kv-two"]}]'}.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    clients.cache_clear()
    yield
    settings.cache_clear()
    clients.cache_clear()


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Company]:
    """Run a company with three vaults, one of which the app may not list."""
    async with with_three_vaults(tmp_path, monkeypatch, azurite.connection_string) as running:
        yield running


@pytest.fixture
def durable() -> FakeDurable:
    """Return a durable engine that nothing runs on yet."""
    return FakeDurable()


@pytest.fixture
async def records(azurite: Azurite, request: pytest.FixtureRequest, app_settings: None) -> AsyncIterator[Records]:
    """Return the app's records: an empty container, made for one test and closed with it."""
    del app_settings
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        container = service.get_container_client(f"t{abs(hash(request.node.nodeid)):x}")
        await container.create_container()
        clients()._made["storage"] = container
        yield Records(container)
