"""One of several processes that rotate what the measured sweep starts: the product's steps and clients, for real.

Reads a request a line from stdin; each secret's whole walk runs beside the others'. Evidence is kept in memory, and
there are no consumers and no mails: none of them is counted by the limits that are measured.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec

from activities.close_record import close
from activities.disable_old_version import disable
from activities.generate_credential import generate
from activities.open_record import open_record
from activities.preflight import preflight
from activities.read_policy import read
from activities.retire_old_credential import retire
from activities.set_secret_version import publish
from activities.step import Desk
from activities.verify_credential import verify
from local.azure import resolve
from orchestrators.attempts import pause
from rekey.clients import clients
from rekey.errors import NotYetError, UnclearError
from rekey.model import Question, RotationRequest, Walk
from rekey.records import Record, Records

type Step = Callable[[Desk, Walk], Awaitable[Any]]


class MemoryRecords(Records):
    """Evidence without a storage account, with the same conditional writes."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Record, str]] = {}

    async def open(self, record: Record) -> None:
        """Create the record."""
        self._kept.setdefault(record.rotation_id, (record, "0"))

    async def _read(self, rotation_id: str) -> tuple[Record, str] | None:
        return self._kept.get(rotation_id)

    async def _written(self, record: Record, etag: str) -> bool:
        if self._kept[record.rotation_id][1] != etag:
            return False
        self._kept[record.rotation_id] = record, str(int(etag) + 1)
        return True


class Workplace(Desk):
    """A step's desk with that evidence."""

    def __init__(self) -> None:
        super().__init__(clients())
        self._records = MemoryRecords()

    def records(self) -> Records:
        """Return the evidence."""
        return self._records


async def rotate(desk: Desk, request: RotationRequest) -> None:
    """Walk one rotation without consumers, mails and grace, each step repeated as its orchestrator would."""
    walk = await look(desk, request)
    step = partial(_step, desk)
    walk = walk.but(issued=await step(generate, walk))
    await step(verify, walk)
    walk = walk.but(published=await step(publish, walk))
    await step(disable, walk)
    await step(retire, walk)
    await step(close, walk.but(result="done"))


async def look(desk: Desk, request: RotationRequest) -> Walk:
    """Take the steps that change nothing."""
    question = Question(request=request, rotation_id=str(uuid4()), started=datetime.now(UTC))
    reading = await _attempted(partial(read, desk, question), request.secret)
    if reading.rotation is None:
        raise RuntimeError(f"{request.secret} isn't rotated: {reading.not_due or reading.bad}")
    walk = Walk(rotation=reading.rotation)
    await _step(desk, open_record, walk)
    facts = await _step(desk, preflight, walk)
    return walk.but(facts=facts, rotation=walk.rotation.knowing(facts))


async def _step(desk: Desk, body: Step, walk: Walk) -> Any:
    return await _attempted(partial(body, desk, walk), walk.rotation.id)


async def _attempted(body: Callable[[], Awaitable[Any]], seed: str) -> Any:
    number = 0
    while True:
        number += 1
        try:
            return await body()
        except (NotYetError, UnclearError) as error:
            await asyncio.sleep(pause(seed, number, error.seconds).total_seconds())


async def work() -> dict[str, Any]:
    """Look at the first secret that stdin says, rotate the others until it ends; return the CPU time."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    desk = Workplace()
    await look(desk, _request(await lines.readline()))  # loads the SDKs, fetches tokens, connects
    print("ready", flush=True)  # noqa: T201 - what the process that started it reads
    async with asyncio.TaskGroup() as walks:
        while line := await lines.readline():
            walks.create_task(rotate(desk, _request(line)))
    await desk.clients.aclose()
    return {"cpu_seconds": round(time.process_time(), 1)}


def _request(line: bytes) -> RotationRequest:
    return msgspec.json.decode(line, type=RotationRequest)


if __name__ == "__main__":
    resolve.install()
    print(json.dumps(asyncio.run(work())), flush=True)  # noqa: T201 - what the process that started it reads
