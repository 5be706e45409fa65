"""Knows how the simulated Azure is put together and listens: one TLS port, plain ones for what has its own in Azure."""

import contextlib
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from local.azure.acs_email import Email
from local.azure.arm import ResourceManager
from local.azure.azuredevops import AzureDevOps
from local.azure.cloud import Cloud
from local.azure.control_api import ControlApi
from local.azure.entra import Entra
from local.azure.eventgrid import EventGrid
from local.azure.faults import Faults
from local.azure.gate import Connections
from local.azure.graph import Graph
from local.azure.keyvault import KeyVault
from local.azure.keyvault_audit import AuditLogs
from local.azure.managed_identity import ManagedIdentityEndpoint
from local.azure.pipeline import ByHost, OnePort, Pipeline
from local.azure.ports import Ports, listening
from local.azure.replicas import Replicas
from local.azure.request_log import RequestLog
from local.azure.storage_account import StorageAccountBlobs
from local.azure.storage_forwarder import StorageForwarder
from local.azure.striking import Striking
from local.azure.wire import Service

# Seeded in this order: later services refer to what earlier ones hold.
_SERVICES: tuple[Callable[[Cloud], Service], ...] = (
    Entra,
    Graph,
    Email,
    ResourceManager,
    StorageAccountBlobs,
    EventGrid,
    AzureDevOps,
    AuditLogs,
    KeyVault,
)
_HOSTS = (
    "login",
    "graph",
    "vault",
    "azuredevops",
    "vsrm",
    "management",
    "*.vault",
    "*.communication",
    "*.blob.storage",
)


@dataclass(frozen=True)
class Running:
    """A simulated Azure that listens."""

    cloud: Cloud
    description: dict[str, Any]
    """What a client needs to know: see `describe`."""


def build(port: int) -> Cloud:
    """Return a cloud with all its services, empty."""
    cloud = Cloud(port)
    for service in _SERVICES:
        cloud.add(service(cloud))
    return cloud


@contextlib.asynccontextmanager
async def serving(
    state_dir: Path, port: int = 0, identity_port: int = 0, storage: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Run the simulated Azure on loopback inside this event loop; port 0 takes a free one.

    `storage`: endpoints of a storage account by service (`blob`, `queue`) to stand in front of.
    Writes `ca.pem` and `azure.json` into `state_dir`.
    """
    tls_port, identity = listening(port), listening(identity_port)
    cloud, log, faults, connections = build(tls_port.getsockname()[1]), RequestLog(), Faults(), Connections()
    striking = Striking(faults, Replicas(cloud.services.values()), connections)
    pipeline = Pipeline(cloud, log, striking)
    ca, header = trustme.CA(organization_name="simulated Azure"), secrets.token_hex(16).upper()
    description = describe(cloud, state_dir / "ca.pem", identity.getsockname()[1], header)
    async with contextlib.AsyncExitStack() as stack:
        ports = await stack.enter_async_context(Ports(connections, lambda: faults.refusing))
        stack.callback(faults.clear)
        await ports.open(OnePort(ManagedIdentityEndpoint(cloud, header), "127.0.0.1", pipeline, striking), identity)
        for service, target in (storage or {}).items():
            forwarder, listener = await stack.enter_async_context(StorageForwarder(target)), listening(0)
            await ports.open(OnePort(forwarder, service, pipeline, striking), listener)
            description["storage"][service] = f"http://127.0.0.1:{listener.getsockname()[1]}{forwarder.path}"
        control = ControlApi(cloud, log, striking, ports, [ManagedIdentityEndpoint.name, StorageForwarder.name])
        await ports.open(ByHost(cloud, pipeline, striking, control.app()), tls_port, _context(ca))
        _write(state_dir, ca, description)
        yield Running(cloud, description)


def describe(cloud: Cloud, ca: Path, identity_port: int, identity_header: str) -> dict[str, Any]:
    """Return what a client needs: port, urls by service, CA file, managed identity endpoint and header, tenant.

    `storage`: endpoints that stand for the storage account's, by service; filled in where there is one.
    """
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
            "azuredevops_release": cloud.url("vsrm"),
            "management": cloud.url("management"),
            "vault": cloud.url("{name}.vault"),
            "mail": cloud.url("{name}.communication"),
        },
        "storage": {},
        "audiences": {"graph": cloud.url("graph"), "vault": cloud.url("vault")},
    }


def _write(state_dir: Path, ca: trustme.CA, description: dict[str, Any]) -> None:
    state_dir.mkdir(parents=True, exist_ok=True)
    ca.cert_pem.write_to_path(state_dir / "ca.pem")
    (state_dir / "azure.json").write_text(json.dumps(description, indent=2))


def _context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost", "127.0.0.1", *(f"{host}.localhost" for host in _HOSTS)).configure_cert(context)
    return context
