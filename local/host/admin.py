"""The host's own API under /admin: its state, its functions, and running one of them by hand."""

import asyncio
import hashlib
import logging
import platform
import time
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.host.functions import FunctionInfo
from local.host.listeners import Listeners
from local.host.settings import HostSettings
from local.host.supervisor import NoWorkerError, Supervisor, WorkerLostError
from local.host.wire import ActivityCall, QueueCall, TimerCall

VERSION = "4.1000.0-local"
_LOG = logging.getLogger(__name__)


class _Invocation(msgspec.Struct):
    """The body that runs a function by hand."""

    input: str | int | float | bool | None = None


class Admin:
    """The API's handlers. The real host wants the master key for all but ping; this one wants none."""

    def __init__(self, supervisor: Supervisor, listeners: Listeners, settings: HostSettings) -> None:
        self._supervisor = supervisor
        self._listeners = listeners
        self._settings = settings
        self._started = time.monotonic()
        self._running: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """Return the API's routes."""
        return [
            Route("/admin/host/status", self.host_status),
            Route("/admin/host/ping", self.ping, methods=["GET", "POST"]),
            Route("/admin/functions", self.list_functions),
            Route("/admin/functions/{name}", self.show_function, methods=["GET"]),
            Route("/admin/functions/{name}", self.run_function, methods=["POST"]),
            Route("/admin/functions/{name}/status", self.function_status),
        ]

    async def ping(self, _: Request) -> Response:
        """Answer that the host is there."""
        return Response(headers={"Cache-Control": "no-store"})

    async def host_status(self, _: Request) -> Response:
        """Say that the host runs; `workerPid` (null if no worker is ready), `workerPids`, `functions` are its own."""
        pids = self._supervisor.pids
        return JSONResponse(
            {
                "id": self._host_id(),
                "state": "Running",
                "version": VERSION,
                "versionDetails": VERSION,
                "computerName": platform.node(),
                "processUptime": int((time.monotonic() - self._started) * 1000),
                "functionAppContentEditingState": "Unknown",
                "workerPid": pids[0] if pids else None,
                "workerPids": pids,
                "functions": len(self._supervisor.functions),
            }
        )

    async def list_functions(self, request: Request) -> Response:
        """List the functions with their bindings."""
        return JSONResponse([self._shown(info, request) for info in self._supervisor.functions.values()])

    async def show_function(self, request: Request) -> Response:
        """Show one function."""
        info = self._find(request)
        return Response(status_code=404) if info is None else JSONResponse(self._shown(info, request))

    async def function_status(self, request: Request) -> Response:
        """Tell a function's error, if it is in error."""
        if (info := self._find(request)) is None:
            return Response(status_code=404)
        error = self._listeners.errors.get(info.name)
        return JSONResponse({"errors": [error]} if error else {})

    async def run_function(self, request: Request) -> Response:
        """Run a function with the body's `input`: 202 at once, whatever becomes of it; a disabled one too."""
        try:
            invocation = msgspec.json.decode(await request.body(), type=_Invocation)
        except msgspec.DecodeError as error:
            return JSONResponse({"Message": f'Expected a body such as {{"input": "text"}}: {error}'}, 400)
        info = self._find(request)
        if info is None or info.name in self._listeners.errors:
            return Response(status_code=404)
        task = asyncio.create_task(self._run(info, "" if invocation.input is None else str(invocation.input)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return Response(status_code=202)

    async def _run(self, info: FunctionInfo, text: str) -> None:
        """Run a function; its own failure is logged by the worker."""
        call = self._call(info, text)
        if call is None:
            _LOG.error("function %s can't be run by hand: a %s needs more than a text", info.name, info.trigger["type"])
            return
        try:
            await self._supervisor.call(info.name, call)
        except (WorkerLostError, NoWorkerError) as error:
            _LOG.error("function %s was not carried out: %s", info.name, error)

    def _call(self, info: FunctionInfo, text: str) -> TimerCall | QueueCall | ActivityCall | None:
        """Return the call that a text stands for; None for a trigger that takes no text in the real host either."""
        match info.trigger["type"]:
            case "timerTrigger":
                return self._listeners.timers[info.name].call()
            case "queueTrigger":
                return QueueCall(text.encode(), {"DequeueCount": 1})
            case "activityTrigger":
                return ActivityCall(text)
        return None

    def _find(self, request: Request) -> FunctionInfo | None:
        """Return the function of this name, which is found without regard to case."""
        name = request.path_params["name"].lower()
        return next((info for info in self._supervisor.functions.values() if info.name.lower() == name), None)

    def _shown(self, info: FunctionInfo, request: Request) -> dict[str, Any]:
        return {
            "name": info.name,
            "href": str(request.url.replace(path=f"/admin/functions/{info.name}", query="")),
            "config": {"name": info.name, "bindings": info.bindings},
            "language": "python",
            "isDisabled": info.disabled,
            "isDirect": False,
            "isProxy": False,
        }

    def _host_id(self) -> str:
        """Return the id under which the real host keeps what it shares: set, or made of machine and folder."""
        folder = hashlib.sha256(str(self._settings.folder).encode()).hexdigest()[:8]
        return self._settings.environment.get("AzureFunctionsWebHost__hostid") or f"{platform.node().lower()}-{folder}"
