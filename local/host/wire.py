"""What host and worker say to each other over their socket pair, and how it is framed."""

import asyncio
import struct
from typing import Any

import msgspec

from local.host.functions import FunctionInfo

_LENGTH = struct.Struct("!I")


class WorkerOptions(msgspec.Struct, frozen=True):
    """What the host tells a worker at its start, as JSON in its only argument; `channel` is an inherited fd."""

    channel: int
    engine: str
    client_binding: str
    log_level: int
    function_timeout: float | None
    """After how many seconds a function is given up, and the process with it; None for never."""


class HttpCall(msgspec.Struct, frozen=True, tag=True):
    """An HTTP request for a function; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    route: dict[str, str]
    query: dict[str, str]
    body: bytes


class QueueCall(msgspec.Struct, frozen=True, tag=True):
    """A queue message for a function; `body` is decoded, `metadata` as the real worker gets it."""

    body: bytes
    metadata: dict[str, str | int]


class TimerCall(msgspec.Struct, frozen=True, tag=True):
    """An occurrence of a timer; `info` is the JSON object that the function gets."""

    info: dict[str, Any]


class ActivityCall(msgspec.Struct, frozen=True, tag=True):
    """An activity that is run by hand; `text` is its input in JSON."""

    text: str


type FunctionCall = HttpCall | QueueCall | TimerCall | ActivityCall


class Call(msgspec.Struct, frozen=True, tag=True):
    """Host to worker: run `function`; answered by one `Answer` with the same id."""

    id: int
    function: str
    what: FunctionCall


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """Worker to host: the app is loaded."""

    functions: list[FunctionInfo]


class LoadFailed(msgspec.Struct, frozen=True, tag=True):
    """Worker to host: the app can't be loaded; the traceback is already on stderr."""

    error: str


class Response(msgspec.Struct, frozen=True, tag=True):
    """What an HTTP function returned; several headers may share a name (cookies)."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Done(msgspec.Struct, frozen=True, tag=True):
    """A function that isn't HTTP ended well."""


class Failure(msgspec.Struct, frozen=True, tag=True):
    """The function raised; `error` is its type and message."""

    error: str


class Answer(msgspec.Struct, frozen=True, tag=True):
    """Worker to host: how call `id` ended."""

    id: int
    outcome: Response | Done | Failure


type FromWorker = Loaded | LoadFailed | Answer

_FROM_WORKER: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(Loaded | LoadFailed | Answer)
_FROM_HOST = msgspec.msgpack.Decoder(Call)


def send(writer: asyncio.StreamWriter, message: FromWorker | Call) -> None:
    """Write one frame; frames of several tasks don't mix."""
    body = msgspec.msgpack.encode(message)
    writer.write(_LENGTH.pack(len(body)) + body)


async def receive_from_worker(reader: asyncio.StreamReader) -> FromWorker:
    """Read one frame; EOFError when the worker is gone."""
    return _FROM_WORKER.decode(await _frame(reader))


async def receive_from_host(reader: asyncio.StreamReader) -> Call:
    """Read one frame; EOFError when the host is gone."""
    return _FROM_HOST.decode(await _frame(reader))


async def _frame(reader: asyncio.StreamReader) -> bytes:
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise EOFError("the other side is gone") from error
