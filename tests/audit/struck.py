"""Knows how a process dies at one of its requests to storage: before it is sent, or after it was carried out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, override

from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import ContainerClient

from local.storage import Azurite


class KilledError(BaseException):
    """The process is gone: nothing catches it."""


@dataclass
class Strike:
    """Kills at request number `at` (from 0; -1: never); `after`: once it was carried out.

    `methods` are those of the requests so far.
    """

    at: int = -1
    after: bool = False
    methods: list[str] = field(default_factory=list)


class _Wire(AioHttpTransport):  # type: ignore[misc] # azure-core hides its type behind a lazy import
    def __init__(self, strike: Strike) -> None:
        super().__init__()
        self._strike = strike

    @override
    async def send(self, request: Any, **options: Any) -> Any:
        now = len(self._strike.methods) == self._strike.at
        self._strike.methods.append(request.method)
        if now and not self._strike.after:
            raise KilledError
        answer = await super().send(request, **options)
        if now:
            raise KilledError
        return answer


@asynccontextmanager
async def struck(azurite: Azurite, strike: Strike, *containers: str) -> AsyncIterator[list[ContainerClient]]:
    """Return clients of containers whose requests, counted together, are struck."""
    made = [
        ContainerClient.from_connection_string(azurite.connection_string, name, transport=_Wire(strike), retry_total=0)
        for name in containers
    ]
    try:
        yield made
    finally:
        for one in made:
            await one.close()
