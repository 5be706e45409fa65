"""Knows how Azure Monitor brings records into a storage account: late, in batches, to the blob of their hour.

Source: https://learn.microsoft.com/azure/azure-monitor/essentials/resource-logs-blob-format.
"""

import asyncio
import importlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Literal

import msgspec

from local.azure.keyvault_audit_record import Form, Happened, record

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

CONTAINER = "insights-logs-auditevent"
_AGAIN = 0.5
"""Seconds until what couldn't be written is tried again."""

type Case = Literal["upper", "lower", "as-is"]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `audit` part of a seed: records reach the account `delay` seconds after what they tell.

    `form`: JSON lines in append blobs, or the older `{"records": [...]}`, written anew each time. `case` is that of the
    resource id in blobs' names. `torn`: so many seconds pass between the two halves of a batch's last line.
    """

    connection_string: str
    delay: float = 0
    form: Form = "lines"
    case: Case = "upper"
    torn: float = 0

    def blob(self, happened: Happened) -> str:
        """Return the blob that a record belongs into."""
        arm_id, at = happened.vault.arm_id, happened.at.astimezone(UTC)
        shown = {"upper": arm_id.upper(), "lower": arm_id.lower(), "as-is": arm_id}[self.case]
        return f"resourceId={shown}/y={at:%Y}/m={at:%m}/d={at:%d}/h={at:%H}/m=00/PT1H.json"

    def client(self) -> "ContainerClient":
        """Return a client of the container; imported here because the SDK takes a second that few need."""
        from azure.storage.blob.aio import ContainerClient  # noqa: PLC0415

        return ContainerClient.from_connection_string(self.connection_string, CONTAINER, retry_total=0)


@dataclass
class Batches:
    """The records that are under way, and those of the older form that have to be written again with each new one."""

    written: int = 0
    _waiting: list[tuple[float, Target, Happened]] = field(default_factory=list)
    _whole: dict[str, list[bytes]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def waiting(self) -> int:
        """How many records haven't reached the account."""
        return len(self._waiting)

    def add(self, target: Target, happened: Happened) -> None:
        """Take a record in; it is on its way from now on."""
        self._waiting.append((time.monotonic() + target.delay, target, happened))
        self._later(target.delay)

    async def flush(self) -> None:
        """Write everything now, whatever its delay."""
        await self._write(lambda _due: True)

    async def aclose(self) -> None:
        """Give up what is under way."""
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _later(self, seconds: float) -> None:
        task = asyncio.get_running_loop().create_task(self._after(seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self._write(lambda due: due <= time.monotonic())
        except Exception:  # noqa: BLE001 - whatever it was, Azure Monitor tries again and never falls over
            self._later(_AGAIN)

    async def _write(self, wanted: Callable[[float], bool]) -> None:
        async with self._writing:
            ready = [one for one in self._waiting if wanted(one[0])]
            batches: dict[tuple[Target, str], list[Happened]] = {}
            for _, target, happened in ready:
                batches.setdefault((target, target.blob(happened)), []).append(happened)
            for (target, blob), batch in batches.items():
                await self._written(target, blob, batch)
                done = {id(happened) for happened in batch}
                self._waiting = [one for one in self._waiting if id(one[2]) not in done]
                self.written += len(batch)

    async def _written(self, target: Target, blob: str, batch: list[Happened]) -> None:
        lines = [msgspec.json.encode(record(happened, target.form)) for happened in batch]
        # The import would stop everything that this process answers for.
        await asyncio.to_thread(importlib.import_module, "azure.storage.blob.aio")
        async with target.client() as container:
            await _made(container)
            if target.form == "records":
                whole = [*self._whole.get(blob, []), *lines]
                body = b'{"records":[\n%s\n]}' % b",\n".join(whole)
                await container.upload_blob(blob, body, overwrite=True)
                self._whole[blob] = whole
            else:
                await _append(container, blob, b"".join(line + b"\n" for line in lines), target.torn)


async def _made(container: "ContainerClient") -> None:
    from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415 - imported by then

    with suppress(ResourceExistsError):
        await container.create_container()


async def _append(container: "ContainerClient", name: str, body: bytes, torn: float) -> None:
    from azure.core import MatchConditions  # noqa: PLC0415 - imported by then
    from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415

    blob = container.get_blob_client(name)
    with suppress(ResourceExistsError):
        await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
    half = len(body) - 40 if torn else len(body)
    await blob.append_block(body[:half])
    if half < len(body):
        await asyncio.sleep(torn)
        await blob.append_block(body[half:])
