"""Knows how the tests of notices get settings, a storage account and a mail service that keeps what it is sent."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from azure.communication.email.aio import EmailClient
from azure.core.credentials import AzureKeyCredential

from rekey.clouds import CLOUDS
from rekey.settings import Settings


@pytest.fixture
def settings() -> Settings:
    """Return settings that allow mail to contoso.example and to one operator elsewhere."""
    return Settings(
        deployment="test",
        cloud=CLOUDS["public"],
        tenant_id="00000000-0000-0000-0000-000000000001",
        identities={},
        scopes=(),
        staging_vault="kv-staging",
        operators=("Ops@operators.example",),
        mail_domains=("contoso.example",),
        mail_endpoint="https://mail.communication.azure.com",
        mail_sender="rekey@sender.example",
        storage="UseDevelopmentStorage=true",
    )


@dataclass(frozen=True)
class Received:
    """One request as it was on the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class MailService:
    """Answers with `answers` in order, then accepts everything; keeps all requests."""

    origin: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: list[web.Response | None] = field(default_factory=list)
    """None closes the connection without an answer."""

    async def handle(self, request: web.Request) -> web.Response:
        """Write the request down and answer it."""
        body = await request.text()
        self.requests.append(
            Received(
                request.method,
                request.path,
                dict(request.query),
                {name.lower(): value for name, value in request.headers.items()},
                json.loads(body) if body else None,
            )
        )
        answer = self.answers.pop(0) if self.answers else self._accepted(request)
        if answer is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return answer

    def _accepted(self, request: web.Request) -> web.Response:
        operation = request.headers.get("Operation-Id", "")
        location = f"{self.origin}/emails/operations/{operation}?api-version=2025-09-01"
        return web.json_response(
            {"id": operation, "status": "Running"},
            status=202,
            headers={"Operation-Location": location, "Retry-After": "1"},
        )


@pytest.fixture
async def mail_service() -> AsyncIterator[MailService]:
    """Run a mail service that writes down what it is sent."""
    service = MailService()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


@pytest.fixture
async def mail_client(mail_service: MailService) -> AsyncIterator[EmailClient]:
    """Return the unmodified SDK's client. A key, because the SDK sends a token over https only."""
    async with EmailClient(mail_service.origin, AzureKeyCredential("a2V5")) as client:
        yield client
