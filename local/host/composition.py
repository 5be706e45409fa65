"""Which parts a host is made of, and in which order they begin and end."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Coroutine, Iterator
from typing import Any
from uuid import uuid4

import uvicorn

from local.host.admin import Admin
from local.host.backend import LocalBackend
from local.host.front import Front
from local.host.functions import durable_names
from local.host.listeners import Listeners
from local.host.management import BASE_PATH, Management
from local.host.settings import HostSettings
from local.host.store import Store, StoreError, state_file
from local.host.supervisor import Supervisor
from local.host.wire import WorkerOptions

_FOUR_MEBIBYTES = 4 * 1024 * 1024


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the host has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Host:
    """The host of one function app; `listening` is its bound HTTP socket. StoreError if its state can't be read."""

    def __init__(self, settings: HostSettings, listening: socket.socket) -> None:
        self._settings = settings
        self._listening = listening
        # As the real system key: part of every management link; calls from this machine need none.
        self._query = f"taskHub={settings.hub_name}&connection=Storage&code={uuid4().hex}"
        store = Store(state_file(settings.data_folder, settings.hub_name, settings.environment))
        self._backend = LocalBackend(
            store,
            lease_seconds=settings.lease_seconds,
            default_version=settings.default_version,
            on_lost=_end,
            longest_timer=settings.longest_timer,
        )
        if self._backend.found:
            print(f"Found in {store.path}: {self._backend.found}", flush=True)
        self._supervisor = Supervisor(settings, self._worker_options)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; LoadError, RouteError or SettingsError if it can't begin."""
        self._backend.start()
        tasks: list[asyncio.Task[None]] = []
        try:
            if await _unless(stop, self._supervisor.start()):
                return
            listeners = Listeners(self._supervisor, self._settings)
            server = _Server(
                uvicorn.Config(self._front(listeners).app, lifespan="off", log_config=None, access_log=False)
            )
            serving = asyncio.create_task(server.serve([self._listening]))
            tasks = [serving, *map(asyncio.create_task, listeners.listen())]
            while not server.started and not serving.done():  # noqa: ASYNC110 (uvicorn has no event for it)
                await asyncio.sleep(0.01)
            print(f"\nHost listening on http://127.0.0.1:{self._settings.port}\n", flush=True)
            await stop.wait()
        finally:
            for task in tasks:
                task.cancel()
            await self._supervisor.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._backend.stop(0)

    def _front(self, listeners: Listeners) -> Front:
        functions = self._supervisor.functions
        management = Management(
            self._backend, query=self._query, orchestrators=durable_names(functions, "orchestrationTrigger")
        )
        admin = Admin(self._supervisor, listeners, self._settings)
        front = Front(self._supervisor, self._backend, management, admin, self._settings)
        print("\nFunctions:\n", flush=True)
        for info in functions.values():
            print(f"    {info.name}: {front.describe(info, self._settings.port)}", flush=True)
            for binding in info.unsupported:
                print(f"        {binding['name']}: {binding['type']} output is not carried out here", flush=True)
        for error in listeners.errors.values():
            print(f"    {error}", flush=True)
        return front

    def _worker_options(self, channel: int) -> WorkerOptions:
        return WorkerOptions(
            channel=channel,
            engine=f"127.0.0.1:{self._backend.port}",
            client_binding=self._client_binding(),
            log_level=self._settings.app_log_level,
            function_timeout=self._settings.function_timeout,
        )

    def _client_binding(self) -> str:
        """Return the JSON that the real extension gives a durable client in its gRPC mode."""
        binding = {
            "taskHubName": self._settings.hub_name,
            "connectionName": None,
            "creationUrls": None,
            "managementUrls": None,
            "baseUrl": None,
            "requiredQueryStringParameters": self._query,
            "rpcBaseUrl": f"http://127.0.0.1:{self._backend.port}",
            "httpBaseUrl": f"http://127.0.0.1:{self._settings.port}{BASE_PATH}",
            "maxGrpcMessageSizeInBytes": _FOUR_MEBIBYTES,
            "grpcHttpClientTimeout": "00:01:40",
            "useForwardedHost": False,
        }
        return json.dumps(binding)


def _end(error: StoreError) -> None:
    """End at once, as if killed: what is on disk is whole, and what is in memory can't be kept."""
    print(f"The host ends: {error}", file=sys.stderr, flush=True)
    os._exit(1)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`, or give it up when `stop` is set first; whether it was given up."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return True
        await working
        return False
    finally:
        working.cancel()
        stopping.cancel()
