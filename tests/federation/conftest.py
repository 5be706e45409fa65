"""Knows how the tests of federations get a company that has a storage account: a walk's record is in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.storage import Azurite
from tests.core import company as companies
from tests.federation.asking import Asking


@pytest.fixture
async def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Asking]:
    """Run a company with a storage account, whose app may do everything to its connections."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield Asking.of(running)
