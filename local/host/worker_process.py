"""One process with the app in it: started, called, told to end; and what it hasn't answered when it dies."""

import asyncio
import itertools
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from local.host.functions import FunctionInfo
from local.host.settings import HostSettings
from local.host.wire import (
    Answer,
    Call,
    Done,
    Failure,
    FunctionCall,
    Loaded,
    LoadFailed,
    Response,
    WorkerOptions,
    receive_from_worker,
    send,
)

_ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 3

type _Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LoadError(Exception):
    """The function app can't be loaded; its own traceback is already printed."""


class WorkerLostError(Exception):
    """The worker died while it worked on this."""


class WorkerProcess:
    """One worker process and the calls that it hasn't answered."""

    def __init__(self, process: asyncio.subprocess.Process, streams: _Streams, on_lost: Callable[[], None]) -> None:
        self.process = process
        self.ready = False
        """Whether it has loaded the app and can be called."""
        self._on_lost = on_lost
        self._reader, self._writer = streams
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._ids = itertools.count(1)
        self._listener: asyncio.Task[None] | None = None

    async def load(self) -> list[FunctionInfo]:
        """Wait until the app is loaded."""
        try:
            message = await receive_from_worker(self._reader)
        except EOFError:
            raise LoadError("the worker process ended while it loaded the app") from None
        if isinstance(message, LoadFailed):
            raise LoadError(message.error)
        if not isinstance(message, Loaded):
            raise LoadError(f"unexpected {message!r}")
        self._listener = asyncio.create_task(self._listen())
        self.ready = True
        return message.functions

    async def call(self, function: str, what: FunctionCall) -> Response | Done | Failure:
        """Run a function; WorkerLostError if the process dies meanwhile."""
        if not self.ready:
            raise WorkerLostError("the worker process died")
        number = next(self._ids)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            send(self._writer, Call(number, function, what))
            return (await answer).outcome
        finally:
            self._waiting.pop(number, None)

    async def ended(self) -> None:
        """Wait for the end of the process; fails what it hasn't answered."""
        await self.process.wait()
        if self._listener is not None:
            await self._listener
        self._writer.close()

    async def _listen(self) -> None:
        while True:
            try:
                message = await receive_from_worker(self._reader)
            except EOFError:
                break
            waiting = self._waiting.pop(message.id, None) if isinstance(message, Answer) else None
            if isinstance(message, Answer) and waiting is not None and not waiting.done():
                waiting.set_result(message)
        # First, so that whoever learns of the loss and calls again waits for another worker.
        self.ready = False
        self._on_lost()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkerLostError("the worker process died"))

    async def stop(self) -> None:
        """End the process: politely, then for certain."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def start_process(
    settings: HostSettings, options: Callable[[int], WorkerOptions], on_lost: Callable[[], None]
) -> WorkerProcess:
    """Start a process; `options` makes its arguments of its channel, `on_lost` is called when it has died."""
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = msgspec.json.encode(options(theirs.fileno())).decode()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "local.host.worker", arguments),
            cwd=settings.folder,
            env=_environment(settings),
            pass_fds=[theirs.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT,
        )
    print(f"Worker process started (pid {process.pid})", flush=True)
    return WorkerProcess(process, await asyncio.open_unix_connection(sock=ours), on_lost)


def _environment(settings: HostSettings) -> dict[str, str]:
    """Return the app's environment, as Core Tools makes it, with this package on the path."""
    path = [str(_ROOT), *filter(None, [settings.environment.get("PYTHONPATH")])]
    return {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "WEBSITE_HOSTNAME": f"localhost:{settings.port}",
        "PYTHONUNBUFFERED": "1",
        **settings.environment,
        "PYTHONPATH": os.pathsep.join(path),
    }
