"""The process that holds the function app: started by the host, told what to do over an inherited socket."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from local.host.bridge import Bridge, with_client
from local.host.faults import Faults
from local.host.invoker import FunctionError, FunctionTimeoutError, Invoker, datum
from local.host.logs import write_logs
from local.host.names import resolve_localhost
from local.host.wire import (
    ActivityCall,
    Answer,
    Call,
    Done,
    Failure,
    FunctionCall,
    HttpCall,
    Loaded,
    LoadFailed,
    Response,
    TimerCall,
    WorkerOptions,
    receive_from_host,
    send,
)
from local.processes import die_with_parent

_LOG = logging.getLogger("local.host.worker")


class _Worker:
    def __init__(self, options: WorkerOptions, invoker: Invoker, writer: asyncio.StreamWriter) -> None:
        self._options = options
        self._invoker = invoker
        self._writer = writer
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Answer calls until the host is gone."""
        while True:
            try:
                call = await receive_from_host(reader)
            except EOFError:
                return
            task = asyncio.create_task(self._answer(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, call: Call) -> None:
        outcome: Response | Done | Failure
        try:
            outcome = await self._run(call)
        except FunctionError as error:
            _LOG.error("function %s failed\n%s", call.function, error.trace)
            outcome = Failure(str(error))
        except FunctionTimeoutError as error:
            send(self._writer, Answer(call.id, Failure(str(error))))
            self._writer.transport.set_write_buffer_limits(0)
            await self._writer.drain()
            _end_for(error)
        send(self._writer, Answer(call.id, outcome))

    async def _run(self, call: Call) -> Response | Done:
        value, metadata = _trigger_value(call.what)
        info = self._invoker.functions[call.function]
        result = await self._invoker.invoke(
            call.function, with_client(info, value, self._options.client_binding), metadata
        )
        return _response(result) if isinstance(call.what, HttpCall) else Done()


def _trigger_value(what: FunctionCall) -> tuple[Any, dict[str, Any]]:
    if isinstance(what, HttpCall):
        return _http_request(what), {}
    if isinstance(what, TimerCall):
        return datum(json.dumps(what.info), "json"), {}
    if isinstance(what, ActivityCall):
        return datum(what.text or "null", "json"), {}
    metadata = {
        name: datum(value, "int" if isinstance(value, int) else "string") for name, value in what.metadata.items()
    }
    try:
        return datum(what.body.decode(), "string"), metadata
    except UnicodeDecodeError:
        return datum(what.body, "bytes"), metadata


def _http_request(call: HttpCall) -> Any:
    def strings(values: dict[str, str]) -> dict[str, Any]:
        return {name: datum(value, "string") for name, value in values.items()}

    return datum(
        {
            "method": datum(call.method, "string"),
            "url": datum(call.url, "string"),
            "headers": strings(call.headers),
            "params": strings(call.route),
            "query": strings(call.query),
            "body": datum(call.body, "bytes"),
        },
        "http",
    )


def _response(result: Any) -> Response:
    if result is None or result.value is None:
        return Response(204, [], b"")
    if result.type != "http":
        return Response(200, [("content-type", "text/plain; charset=utf-8")], str(result.value).encode())
    parts = result.value
    headers = [(name, header.value) for name, header in parts["headers"].items()]
    for cookies in parts.get("cookies") or ():
        headers += [("set-cookie", cookie.OutputString()) for cookie in cookies.values()]
    return Response(int(parts["status_code"].value), headers, parts["body"].value or b"")


def _end_for(error: FunctionTimeoutError) -> NoReturn:
    """End the process at once, as the real host does to a worker whose function takes too long."""
    _LOG.error("%s; the worker process ends", error)
    sys.stdout.flush()
    os._exit(1)


async def _main(options: WorkerOptions) -> int:
    channel = socket.socket(fileno=options.channel)
    reader, writer = await asyncio.open_unix_connection(sock=channel)
    try:
        invoker = Invoker(Path.cwd(), options.function_timeout)
    except BaseException as error:  # noqa: BLE001 (an app may even call sys.exit while it loads)
        traceback.print_exc()
        send(writer, LoadFailed(f"{type(error).__name__}: {error}"))
        await writer.drain()
        return 1
    send(writer, Loaded(list(invoker.functions.values())))
    bridge = Bridge(invoker, Faults(os.environ), options, _end_for)
    work = asyncio.create_task(bridge.run())
    await _Worker(options, invoker, writer).serve(reader)
    work.cancel()
    return 0


def main() -> None:
    """Run the worker; ends at once when the host is gone, whatever functions are still doing."""
    die_with_parent()
    # Ctrl+C reaches the whole process group; the host decides when the worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = msgspec.json.decode(sys.argv[1], type=WorkerOptions)
    sys.path.insert(0, str(Path.cwd()))
    resolve_localhost()
    write_logs(options.log_level)
    code = asyncio.run(_main(options))
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
