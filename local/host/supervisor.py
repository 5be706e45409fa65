"""The life of the worker process: started, listened to, started again when it dies, stopped."""

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
_LONGEST_BACKOFF = 30
_READY_SECONDS = 30


type _Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LoadError(Exception):
    """The function app can't be loaded; its own traceback is already printed."""


class WorkerLostError(Exception):
    """The worker died while it worked on this."""


class NoWorkerError(Exception):
    """No worker is ready, and none became so in time."""


class _Worker:
    """One worker process and the calls that it hasn't answered."""

    def __init__(self, process: asyncio.subprocess.Process, streams: _Streams, on_lost: Callable[[], None]) -> None:
        self.process = process
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
        return message.functions

    async def call(self, function: str, what: FunctionCall) -> Response | Done | Failure:
        """Run a function; WorkerLostError if the process dies meanwhile."""
        if self._listener is None or self._listener.done():
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
        # First, so that whoever learns of the loss and calls again waits for the next worker.
        self._on_lost()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkerLostError("the worker process died"))


class Supervisor:
    """Keeps one worker alive. `options` are the arguments of a worker, without its channel."""

    def __init__(self, settings: HostSettings, options: Callable[[int], WorkerOptions]) -> None:
        self._settings = settings
        self._options = options
        self._worker: _Worker | None = None
        self._ready = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self.functions: dict[str, FunctionInfo] = {}

    @property
    def pid(self) -> int | None:
        """The pid of the worker that is ready, None between two workers."""
        return self._worker.process.pid if self._worker and self._ready.is_set() else None

    async def start(self) -> None:
        """Start the first worker; LoadError if the app can't be loaded."""
        await self._start_worker()
        self._watch = asyncio.create_task(self._keep_alive())

    async def call(self, function: str, what: FunctionCall) -> Response | Done | Failure:
        """Run a function in the worker, waiting for one if need be; WorkerLostError, NoWorkerError."""
        try:
            await asyncio.wait_for(self._ready.wait(), _READY_SECONDS)
        except TimeoutError:
            raise NoWorkerError("the worker process isn't ready") from None
        if self._worker is None:
            raise NoWorkerError("the host is stopping")
        return await self._worker.call(function, what)

    async def stop(self) -> None:
        """End the worker: politely, then for certain."""
        if self._watch is not None:
            self._watch.cancel()
        if self._worker is None or self._worker.process.returncode is not None:
            return
        process, self._worker = self._worker.process, None
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _keep_alive(self) -> None:
        backoff = 0.0
        while self._worker is not None:
            await self._worker.ended()
            print(f"Worker process ended ({self._worker.process.returncode}); starting another", flush=True)
            await asyncio.sleep(backoff)
            try:
                await self._start_worker()
                backoff = 0.0
            except LoadError as error:
                print(f"The function app could not be loaded again: {error}", flush=True)
                backoff = min(max(1.0, backoff * 2), _LONGEST_BACKOFF)

    async def _start_worker(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "local.host.worker"]
            arguments = msgspec.json.encode(self._options(theirs.fileno())).decode()
            process = await asyncio.create_subprocess_exec(
                *command,
                arguments,
                cwd=self._settings.folder,
                env=self._environment(),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.STDOUT,
            )
        self._worker = _Worker(process, await asyncio.open_unix_connection(sock=ours), self._ready.clear)
        print(f"Worker process started (pid {process.pid})", flush=True)
        self.functions = {info.name: info for info in await self._worker.load()}
        self._ready.set()

    def _environment(self) -> dict[str, str]:
        """Return the app's environment, as Core Tools makes it, with this package on the path."""
        given = self._settings.environment
        path = [str(_ROOT), *filter(None, [given.get("PYTHONPATH")])]
        return {
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "WEBSITE_HOSTNAME": f"localhost:{self._settings.port}",
            "PYTHONUNBUFFERED": "1",
            **given,
            "PYTHONPATH": os.pathsep.join(path),
        }
