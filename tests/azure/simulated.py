"""Runs a simulated Azure inside a test, with a client and tokens for it."""

import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from azure.core.credentials import AccessToken

from local.azure import resolve
from local.azure.cloud import Cloud
from local.azure.server import serving
from local.azure.tokens import Subject


@dataclass(frozen=True)
class Answer:
    """One response, read to its end."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Simulated:
    """A simulated Azure that listens, with what a test needs to talk to it."""

    cloud: Cloud
    ca: str
    control: str
    session: aiohttp.ClientSession

    async def seed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Seed and return what was told; fails unless the document was accepted."""
        answer = await self.call("POST", f"{self.control}/_sim/seed", body=document)
        assert answer.status == 200, answer.body
        told: dict[str, Any] = answer.body
        return told

    def token(self, identity: str, audience: str) -> str:
        """Return a token of a seeded identity."""
        found = self.cloud.directory.identity(identity)
        subject = Subject(self.cloud.tenant, found.client_id, found.object_id, audience, frozenset())
        return self.cloud.tokens.issue(subject, 3600)

    async def call(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request; JSON is parsed, anything else comes back as text."""
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        request = self.session.request(method, url, json=body, headers=sent, allow_redirects=False)
        async with request as response:
            is_json = "json" in response.headers.get("Content-Type", "")
            content = await response.json() if is_json else await response.text()
            return Answer(response.status, content, response.headers)


class StaticCredential:
    """A credential that has one token; `scopes` is what it was asked for."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        """Return the token."""
        self.scopes += scopes
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        """Hold nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Hold nothing."""


@contextlib.asynccontextmanager
async def simulated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """Run a simulated Azure; `*.localhost` resolves in this process while it runs."""
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    resolve.install()
    async with serving(folder) as running:
        ca = running.description["ca"]
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca))
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Simulated(running.cloud, ca, running.description["control"], session)
