"""The life of the worker processes: started, given work in turn, started again when they die, stopped."""

import asyncio
from collections.abc import Callable
from time import monotonic

from local.host.functions import FunctionInfo
from local.host.settings import HostSettings
from local.host.wire import Done, Failure, FunctionCall, Response, WorkerOptions
from local.host.worker_process import LoadError, WorkerLostError, WorkerProcess, start_process

__all__ = ["LoadError", "NoWorkerError", "Supervisor", "WorkerLostError"]

_READY_SECONDS = 30
# Long enough to spare the machine in a crash loop, short enough for tests that kill on purpose.
_LONGEST_BACKOFF = 2.0
# A process that lives no longer than this dies quickly; so many quick deaths in a row are borne without a pause.
_QUICK_SECONDS = 1.0
_QUICK_DEATHS = 5


class NoWorkerError(Exception):
    """No worker is ready, and none became so in time."""


class Supervisor:
    """Keeps as many workers alive as the settings say. `options` are a worker's arguments for its channel."""

    def __init__(self, settings: HostSettings, options: Callable[[int], WorkerOptions]) -> None:
        self._settings = settings
        self._options = options
        self._workers: list[WorkerProcess | None] = [None] * settings.worker_processes
        self._turn = 0
        self._any_ready = asyncio.Event()
        self._watches: list[asyncio.Task[None]] = []
        self._stopping = False
        self._functions: dict[str, FunctionInfo] = {}

    @property
    def functions(self) -> dict[str, FunctionInfo]:
        """The app's functions by name; none before it is loaded."""
        return self._functions

    @property
    def pids(self) -> list[int]:
        """The pids of the workers that are ready."""
        return [worker.process.pid for worker in self._workers if worker and worker.ready]

    async def start(self) -> None:
        """Start the workers, the first one alone; LoadError if the app can't be loaded."""
        places = range(len(self._workers))
        await self._start_worker(places[0])
        await asyncio.gather(*map(self._start_worker, places[1:]))
        self._watches = [asyncio.create_task(self._keep_alive(place)) for place in places]

    async def call(self, function: str, what: FunctionCall) -> Response | Done | Failure:
        """Run a function in the next worker that is ready, or becomes so in time; WorkerLostError, NoWorkerError."""
        try:
            await asyncio.wait_for(self._any_ready.wait(), _READY_SECONDS)
        except TimeoutError:
            raise NoWorkerError("no worker process is ready") from None
        if self._stopping:
            raise NoWorkerError("the host is stopping")
        return await self._next().call(function, what)

    async def stop(self) -> None:
        """End the workers."""
        self._stopping = True
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*(worker.stop() for worker in self._workers if worker))

    def _next(self) -> WorkerProcess:
        """Return one of the workers that are ready, in turn."""
        ready = [worker for worker in self._workers if worker and worker.ready]
        self._turn += 1
        return ready[self._turn % len(ready)]

    def _lost(self) -> None:
        if not self.pids:
            self._any_ready.clear()

    async def _keep_alive(self, place: int) -> None:
        """Start the worker of a place again and again; with pauses if it dies at once or can't load the app."""
        quick_deaths = 0
        while (worker := self._workers[place]) is not None:
            started = monotonic()
            await worker.ended()
            quick_deaths = quick_deaths + 1 if monotonic() - started < _QUICK_SECONDS else 0
            pause = _backoff(quick_deaths - _QUICK_DEATHS)
            later = f" in {pause:g} s" if pause else ""
            print(f"Worker process ended ({worker.process.returncode}); starting another{later}", flush=True)
            await asyncio.sleep(pause)
            await self._start_until_loaded(place)

    async def _start_until_loaded(self, place: int) -> None:
        failures = 0
        while True:
            try:
                await self._start_worker(place)
            except LoadError as error:
                failures += 1
                print(f"The function app could not be loaded again: {error}", flush=True)
                await asyncio.sleep(_backoff(failures))
            else:
                return

    async def _start_worker(self, place: int) -> None:
        worker = await start_process(self._settings, self._options, self._lost)
        self._workers[place] = worker
        self._functions = {info.name: info for info in await worker.load()}
        self._any_ready.set()


def _backoff(failures: int) -> float:
    """Return the pause after so many failures in a row, in seconds: none after none."""
    return min(2.0 ** (failures - 1), _LONGEST_BACKOFF) if failures > 0 else 0.0
