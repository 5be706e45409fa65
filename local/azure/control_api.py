"""Knows the control API `/_sim/*`: how tests and the demo set the simulated Azure up and look into it."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.azure.cloud import Cloud
from local.azure.fault_request import EVERYTHING, FaultRequest
from local.azure.ports import Ports
from local.azure.request_log import RequestLog
from local.azure.seeding import seed
from local.azure.striking import Striking
from local.azure.wire import AddsToControl, HearsTime

type Handler = Callable[[Request], Awaitable[Any]]


class ControlApi:
    """The handlers of the control API; each returns what is sent as JSON, a ValueError becomes a 400."""

    def __init__(
        self, cloud: Cloud, log: RequestLog, striking: Striking, ports: Ports, other_services: Iterable[str]
    ) -> None:
        self._cloud = cloud
        self._log = log
        self._striking = striking
        self._faults = striking.faults
        self._ports = ports
        self._services = sorted({*cloud.services, *other_services})

    def app(self) -> Starlette:
        """Return the control API as an application."""
        table: list[tuple[str, str, Handler]] = [
            ("POST", "/_sim/seed", self.seed),
            ("GET", "/_sim/requests", self.requests),
            ("DELETE", "/_sim/requests", self.clear_requests),
            ("POST", "/_sim/faults", self.add_fault),
            ("GET", "/_sim/faults", self.faults),
            ("DELETE", "/_sim/faults", self.clear_faults),
            ("POST", "/_sim/faults/{id}/release", self.release),
            ("GET", "/_sim/time", self.time),
            ("POST", "/_sim/time", self.move_time),
            ("GET", "/_sim/state", self.state),
            ("GET", "/_sim/outbox", self.outbox),
        ]
        own = [Route(path, _json(run), methods=[method]) for method, path, run in table]
        services = [s for s in self._cloud.services.values() if isinstance(s, AddsToControl)]
        return Starlette(routes=[*own, *(route for service in services for route in service.control_routes())])

    async def seed(self, request: Request) -> Any:
        """Fill the cloud."""
        return await seed(self._cloud, await _body(request))

    async def requests(self, request: Request) -> Any:
        """Tell the requests after `since`."""
        since = request.query_params.get("since", "0")
        if not since.isdigit():
            raise ValueError(f"since: got {since!r}, expected a number")
        return {"requests": self._log.since(int(since)), "last": self._log.last}

    async def clear_requests(self, _request: Request) -> Any:
        """Forget the requests."""
        self._log.clear()
        return {}

    async def add_fault(self, request: Request) -> Any:
        """Arm a fault, or set a propagation delay."""
        document = await _body(request)
        if isinstance(document, dict) and not {"propagation", "limits"}.isdisjoint(document):
            return self._cloud.switches.set(document)
        wanted = msgspec.convert(document, FaultRequest)
        self._check_service(wanted)
        fault = self._faults.add(wanted)
        if wanted.seconds is not None:
            await self._ports.shut(wanted.seconds, but=request.scope)
        return fault.told()

    def _check_service(self, wanted: FaultRequest) -> None:
        if wanted.service not in {*self._services, EVERYTHING}:
            raise ValueError(f"service: got {wanted.service!r}, expected one of {self._services}, or '*' to refuse all")
        lagging = self._striking.replicas.services
        if wanted.stale is not None and wanted.service not in lagging:
            raise ValueError(f"service: got {wanted.service!r} with stale, expected one of {lagging}")

    async def faults(self, _request: Request) -> Any:
        """Tell the armed faults."""
        return {"faults": [f.told() for f in self._faults.armed], **self._cloud.switches.told()}

    async def clear_faults(self, _request: Request) -> Any:
        """Disarm every fault; delays and limits go back to their defaults."""
        self._striking.clear()
        self._cloud.switches.reset()
        return {}

    async def release(self, request: Request) -> Any:
        """Let go what one fault holds."""
        fault = self._faults.release(request.path_params["id"])
        if fault is None:
            raise ValueError(f"id: there is no fault {request.path_params['id']!r}")
        return fault.told()

    async def time(self, _request: Request) -> Any:
        """Tell the simulated time."""
        return {"now": self._cloud.clock.now().isoformat()}

    async def move_time(self, request: Request) -> Any:
        """Move the clock ahead and let the services do what falls due."""
        self._cloud.clock.advance(_step(await _body(request), self._cloud.clock.now()))
        for service in self._cloud.services.values():
            if isinstance(service, HearsTime):
                moved = service.time_moved()
                if inspect.isawaitable(moved):
                    await moved
        return {"now": self._cloud.clock.now().isoformat()}

    async def state(self, _request: Request) -> Any:
        """Tell the state of every service, secret values included."""
        return {name: service.state() for name, service in self._cloud.services.items()}

    async def outbox(self, _request: Request) -> Any:
        """Tell the mails that were accepted."""
        return {"mails": self._cloud.services["email"].state()["outbox"]}


def _json(run: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return Response(msgspec.json.encode(await run(request)), media_type="application/json")
        except (ValueError, msgspec.MsgspecError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return handle


async def _body(request: Request) -> Any:
    return msgspec.json.decode(await request.body() or b"{}")


def _step(document: Any, now: datetime) -> timedelta:
    """Return by how much `{"now": iso}` or `{"advance": seconds or ISO 8601 duration}` moves the clock."""
    match document:
        case {"advance": bool()}:
            pass
        case {"advance": int() | float() as seconds}:
            return timedelta(seconds=seconds)
        case {"advance": str() as duration}:
            return msgspec.convert(duration, timedelta)
        case {"now": str() as moment}:
            then = datetime.fromisoformat(moment)
            return (then if then.tzinfo else then.replace(tzinfo=UTC)) - now
        case _:
            pass
    raise ValueError(f"time: got {document!r}, expected {{'now': iso time}} or {{'advance': seconds or duration}}")
