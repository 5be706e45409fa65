"""Runs a TLS server that plays every service at once and misbehaves, and keeps who was asked for what."""

import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp.connector
import pytest
import trustme
from aiohttp import web

from local.azure import resolve
from rekey.clients import Clients
from tests.azure.simulated import StaticCredential
from tests.rekey.toys import VAULT, settings

type Behaviour = Callable[["Rogue", web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Rogue:
    """The server; `asked` is host, path and whether a token came along."""

    port: int
    behaviour: Behaviour
    credential: StaticCredential
    clients: Clients
    asked: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def elsewhere(self) -> str:
        """An origin that no client speaks to, and that answers."""
        return f"https://evil.localhost:{self.port}"

    def hosts(self) -> set[str]:
        """Return the names under which it was asked anything."""
        return {host for host, _, _ in self.asked}


@contextlib.asynccontextmanager
async def rogue(folder: Path, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour) -> AsyncIterator[Rogue]:
    """Run it, with the product's clients pointed at it."""
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    resolve.install()
    context = _trusted(folder, monkeypatch)
    app = web.Application()
    runner = web.AppRunner(app, access_log=None)
    credential = StaticCredential("eyJ.a-token.x")

    async def handle(request: web.Request) -> web.StreamResponse:
        host = (request.host or "").partition(":")[0]
        running.asked.append((host, request.path, "Authorization" in request.headers))
        return await running.behaviour(running, request)

    app.router.add_route("*", "/{path:.*}", handle)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    clients = Clients(settings(REKEY_CLOUD=_cloud(port), REKEY_MAIL_ENDPOINT=f"https://m.mail.localhost:{port}"))
    clients._made["credential "] = credential
    running = Rogue(port, behaviour, credential, clients)
    try:
        yield running
    finally:
        await clients.aclose()
        await runner.cleanup()


def _trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    # aiohttp makes its context once, when it is imported.
    trusting = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusting)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    names = (
        "graph",
        "login",
        "azuredevops",
        "vsrm",
        "management",
        "evil",
        f"{VAULT}.vault",
        "m.mail",
        "shopdata.blob.storage",
    )
    ca.issue_cert(*(f"{name}.localhost" for name in names)).configure_cert(context)
    return context


def _cloud(port: int) -> str:
    return json.dumps(
        {
            "authority": f"https://login.localhost:{port}",
            "graph": f"https://graph.localhost:{port}",
            "vault_suffix": f"vault.localhost:{port}",
            "vault_resource": f"https://vault.localhost:{port}",
            "resource_manager": f"https://management.localhost:{port}",
            "azure_devops": f"https://azuredevops.localhost:{port}",
            "azure_devops_release": f"https://vsrm.localhost:{port}",
            "mail_suffix": f"mail.localhost:{port}",
            "storage_suffix": f"storage.localhost:{port}",
        }
    )
