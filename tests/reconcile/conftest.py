"""Knows how the tests of the nightly check get a company that has a storage account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.scenario import Scenario
from local.storage import Azurite
from tests.core import company as companies
from tests.reconcile.nights import Nights

CALM = Scenario(expires_in_days=200)
"""Nothing is due for as long as the nights last."""


@pytest.fixture
async def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Nights]:
    """Run a company whose one managed secret is far from its expiry, before its first night."""
    async with companies.company(tmp_path, monkeypatch, CALM, azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield Nights(running)
