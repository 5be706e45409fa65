"""Knows how the tests of connections get a company that has a storage account, and how an audit of it is run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.storage import Azurite
from tests.connections.auditing import Audited
from tests.core import company as companies


@pytest.fixture
async def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Audited]:
    """Run a company whose connections can be audited, with a storage account."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield Audited(running)
