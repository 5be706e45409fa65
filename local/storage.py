"""Azurite, Microsoft's storage emulator, as a storage account: where it is, how it is started."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from local.processes import Process

# The account name and key every emulator has, published on purpose:
# https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_INSTALLED = Path(__file__).parent / "azurite" / "node_modules" / ".bin" / "azurite"
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (http://\S+)\n")
_SERVICES = 3
_ARGUMENTS = 1 + 2 * _SERVICES


class AzuriteMissingError(Exception):
    """Azurite isn't installed; the message has the command that installs it."""


@dataclass(frozen=True)
class Azurite:
    """A running storage account. Use it as a context manager, or call `stop`."""

    process: Process
    blob_endpoint: str
    queue_endpoint: str

    @property
    def connection_string(self) -> str:
        """For AzureWebJobsStorage and the SDKs' `from_connection_string`."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint={self.blob_endpoint};QueueEndpoint={self.queue_endpoint};"
        )

    def stop(self) -> None:
        """End it; what was stored stays in its folder. Killed, it would forget what it acknowledged last (5 s)."""
        self.process.stop()

    def start_again(self) -> None:
        """Start it where it was, with what it has stored, after `stop`."""
        ends = (self.blob_endpoint, self.queue_endpoint)
        self.process.command[1:_ARGUMENTS] = _ports(*(urlsplit(end).port or 0 for end in ends))
        self.process.start()
        for end in ends:
            self.process.wait_ready(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def find_azurite() -> Path:
    """Return the executable: the one of local/azurite, else one on PATH; AzuriteMissingError if neither."""
    if _INSTALLED.exists():
        return _INSTALLED
    if found := shutil.which("azurite"):
        return Path(found)
    raise AzuriteMissingError("Azurite is not installed; run: npm ci --prefix local/azurite")


def start_azurite(folder: Path, *, timeout: float = 60) -> Azurite:
    """Start Azurite on ports the system chooses, storing in `folder` (created); log: azurite.log there.

    The ports change with each start. Errors: AzuriteMissingError, ProcessError, TimeoutError (`timeout` s).
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "azurite.log"
    log.unlink(missing_ok=True)
    # Without skipApiVersionCheck an SDK newer than Azurite is refused.
    options: list[str | Path] = [
        "--location",
        folder,
        "--silent",
        "--skipApiVersionCheck",
        "--disableTelemetry",
    ]
    process = Process([find_azurite(), *_ports(), *options], log=log).start()
    try:
        endpoints = _wait_endpoints(process, timeout)
    except BaseException:
        process.stop()
        raise
    return Azurite(process, f"{endpoints['Blob']}/{ACCOUNT}", f"{endpoints['Queue']}/{ACCOUNT}")


def _ports(blob: int = 0, queue: int = 0) -> list[str]:
    return ["--blobPort", str(blob), "--queuePort", str(queue), "--tablePort", "0"]


def _wait_endpoints(process: Process, timeout: float) -> dict[str, str]:
    def found() -> dict[str, str]:
        return dict(_LISTENING.findall(process.output()))

    process.wait_for(lambda: len(found()) == _SERVICES, "Azurite listens", timeout=timeout)
    return found()
