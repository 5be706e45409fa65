"""The call that proves a storage key means the same to Microsoft's own emulator as to the simulated account."""

import asyncio
import os
import re
import socket
import ssl
from pathlib import Path

import aiohttp.connector
import msgspec
import pytest
import trustme

from local.azure import resolve
from local.azure.arm_storage_state import new_key
from local.processes import Process
from local.storage import find_azurite
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.secret_value import SecretValue
from rekey.settings import Settings
from rekey.storage_signing import signs
from tests.rekey.toys import settings

LISTENING = re.compile(r"Azurite Blob service is successfully listening at https://127\.0\.0\.1:(\d+)\n")


def _azurite(folder: Path, account: str, key: str) -> tuple[Process, str]:
    """Start an Azurite that has that account with that key, and return it with its CA's file."""
    ca, host = trustme.CA(), f"{account}.blob.storage.localhost"
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate = ca.issue_cert(host)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    ports = ["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"]
    files: list[str | Path] = ["--location", folder, "--cert", folder / "cert.pem", "--key", folder / "key.pem"]
    process = Process(
        [find_azurite(), *ports, *files, "--silent", "--skipApiVersionCheck", "--disableTelemetry"],
        log=folder / "azurite.log",
        env={**os.environ, "AZURITE_ACCOUNTS": f"{account}:{key}"},
    )
    return process, str(folder / "ca.pem")


def _settings(port: str) -> Settings:
    changed = settings()
    cloud = msgspec.structs.replace(changed.cloud, storage_suffix=f"storage.localhost:{port}")
    return msgspec.structs.replace(changed, cloud=cloud)


async def test_azurite_takes_the_key_it_has_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An independent implementation of the signature lets the product's request in with its account's key alone."""
    key = new_key("")
    process, ca = _azurite(tmp_path, "shopdata", key)
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    resolve.install()
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=ca))
    with process:
        await asyncio.to_thread(
            process.wait_for, lambda: LISTENING.search(process.output()) is not None, "Azurite listens"
        )
        found = LISTENING.search(process.output())
        assert found
        clients = Clients(_settings(found[1]))
        try:
            assert await signs(clients, "shopdata", SecretValue(key))
            # Azurite refuses a signature by AuthorizationFailure, where Azure's code is AuthenticationFailed.
            with pytest.raises(PermanentError, match="AuthorizationFailure"):
                await signs(clients, "shopdata", SecretValue(new_key("")))
        finally:
            await clients.aclose()
