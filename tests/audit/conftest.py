"""Knows how tests get the container that Azure Monitor writes to, besides Rekey's own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from azure.storage.blob.aio import ContainerClient

from local.storage import Azurite


@pytest.fixture
async def logs(azurite: Azurite) -> AsyncIterator[ContainerClient]:
    """Return an empty container of logs."""
    async with ContainerClient.from_connection_string(azurite.connection_string, f"l{uuid4().hex}") as made:
        await made.create_container()
        yield made
