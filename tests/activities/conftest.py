"""Knows how the tests of activities get a company that has a storage account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.storage import Azurite
from tests.core import company as companies
from tests.core.company import Company


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Company]:
    """Run a company whose one managed secret is near its expiry, with a storage account."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield running
