"""Knows how the simulated Azure is put together and listens: one TLS port, one plain port for managed identity."""

import asyncio
import contextlib
import json
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from starlette.types import ASGIApp

from local.azure.acs_email import Email
from local.azure.arm import ResourceManager
from local.azure.azuredevops import AzureDevOps
from local.azure.cloud import Cloud
from local.azure.control_api import ControlApi
from local.azure.entra import Entra
from local.azure.eventgrid import EventGrid
from local.azure.faults import Faults
from local.azure.graph import Graph
from local.azure.keyvault import KeyVault
from local.azure.managed_identity import ManagedIdentityEndpoint
from local.azure.pipeline import Pipeline
from local.azure.request_log import RequestLog
from local.azure.wire import Service

# Seeded in this order: later services refer to what earlier ones hold.
_SERVICES: tuple[Callable[[Cloud], Service], ...] = (
    Entra,
    Graph,
    Email,
    ResourceManager,
    EventGrid,
    AzureDevOps,
    KeyVault,
)
_HOSTS = ("login", "graph", "vault", "azuredevops", "management", "*.vault", "*.communication")


@dataclass(frozen=True)
class Running:
    """A simulated Azure that listens."""

    cloud: Cloud
    description: dict[str, Any]
    """What a client needs to know: see `describe`."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def build(port: int) -> Cloud:
    """Return a cloud with all its services, empty."""
    cloud = Cloud(port)
    for service in _SERVICES:
        cloud.add(service(cloud))
    return cloud


@contextlib.asynccontextmanager
async def serving(state_dir: Path, port: int = 0, identity_port: int = 0) -> AsyncIterator[Running]:
    """Run the simulated Azure on loopback inside this event loop; port 0 takes a free one.

    Writes `ca.pem` and `azure.json` into `state_dir`.
    """
    tls_socket, plain_socket = _listen(port), _listen(identity_port)
    cloud = build(tls_socket.getsockname()[1])
    log, faults = RequestLog(), Faults()
    control = ControlApi(cloud, log, faults).app()
    ca = trustme.CA(organization_name="simulated Azure")
    header = secrets.token_hex(16).upper()
    servers = [
        (_server(Pipeline(cloud, log, faults, control), _context(ca)), tls_socket),
        (_server(ManagedIdentityEndpoint(cloud, log, header).app(), None), plain_socket),
    ]
    description = describe(cloud, state_dir / "ca.pem", plain_socket.getsockname()[1], header)
    _write(state_dir, ca, description)
    tasks = [asyncio.create_task(server.serve([sock])) for server, sock in servers]
    try:
        await _started([server for server, _ in servers], tasks)
        yield Running(cloud, description)
    finally:
        faults.clear()
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)


def describe(cloud: Cloud, ca: Path, identity_port: int, identity_header: str) -> dict[str, Any]:
    """Return what a client needs: port, urls by service, CA file, managed identity endpoint and header, tenant."""
    return {
        "port": cloud.port,
        "control": f"https://127.0.0.1:{cloud.port}",
        "ca": str(ca.resolve()),
        "tenant": cloud.tenant,
        "identity_endpoint": f"http://127.0.0.1:{identity_port}/msi/token",
        "identity_header": identity_header,
        "urls": {
            "entra": cloud.url("login"),
            "graph": cloud.url("graph"),
            "azuredevops": cloud.url("azuredevops"),
            "management": cloud.url("management"),
            "vault": cloud.url("{name}.vault"),
            "mail": cloud.url("{name}.communication"),
        },
        "audiences": {"graph": cloud.url("graph"), "vault": cloud.url("vault")},
    }


def _write(state_dir: Path, ca: trustme.CA, description: dict[str, Any]) -> None:
    state_dir.mkdir(parents=True, exist_ok=True)
    ca.cert_pem.write_to_path(state_dir / "ca.pem")
    (state_dir / "azure.json").write_text(json.dumps(description, indent=2))


def _listen(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=512)


def _context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost", "127.0.0.1", *(f"{host}.localhost" for host in _HOSTS)).configure_cert(context)
    return context


def _server(app: ASGIApp, context: ssl.SSLContext | None) -> _Server:
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        timeout_keep_alive=300,
        timeout_graceful_shutdown=2,
    )
    config.load()
    config.ssl = context
    return _Server(config)


async def _started(servers: list[_Server], tasks: list[asyncio.Task[None]]) -> None:
    while not all(server.started for server in servers):
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.sleep(0.01)
