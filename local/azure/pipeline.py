"""Knows the way of a request through the simulated Azure: log, faults, the service that its host names."""

import asyncio
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.azure.cloud import Cloud
from local.azure.faults import Fault, Faults, When
from local.azure.request_log import Entry, RequestLog, without_secrets
from local.azure.wire import Service, ServiceError

CONTROL_HOSTS = frozenset({"localhost", "127.0.0.1"})


async def _refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    return error.response()


def service_app(service: Service) -> Starlette:
    """Return a service's routes as an application that answers ServiceError in the service's own words."""
    return Starlette(routes=list(service.routes()), exception_handlers={ServiceError: _refusal})


class Exchange:
    """One request whose body was read, so that it can be processed even if its client has gone meanwhile."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._body = bytearray()

    async def read(self) -> bool:
        """Read the body; False when the client went before it was complete."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                return True

    async def gone(self) -> None:
        """Return when the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def process(self, app: ASGIApp) -> Response:
        """Run the request through an application and return the whole answer."""
        answer = Response()
        body = bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(self._body), "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.raw_headers = list(message.get("headers", []))
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await app(self._scope, receive, send)
        answer.body = bytes(body)
        return answer


class Pipeline:
    """The ASGI application around all services and the control API."""

    def __init__(self, cloud: Cloud, log: RequestLog, faults: Faults, control: ASGIApp) -> None:
        self._cloud = cloud
        self._log = log
        self._faults = faults
        self._control = control
        self._apps = [(service, service_app(service)) for service in _services(cloud)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = Headers(scope=scope).get("host", "").rpartition(":")[0].lower()
        if host in CONTROL_HOSTS:
            await self._control(scope, receive, send)
            return
        found = next(((service, app) for service, app in self._apps if service.serves(host)), None)
        if found is None:
            await JSONResponse({"error": f"no simulated service is called {host!r}"}, 404)(scope, receive, send)
            return
        await self._answer(found, host, Exchange(scope, receive), scope, send)

    async def _answer(
        self, found: tuple[Service, ASGIApp], host: str, exchange: Exchange, scope: Scope, send: Send
    ) -> None:
        service, app = found
        if not await exchange.read():
            return
        entry = self._write_down(service.name, host, scope)
        fault = self._faults.strike(service.name, scope["method"], scope["path"])
        response = await (_struck(fault, service, app, exchange) if fault else exchange.process(app))
        if response is None:
            return
        entry.status = response.status_code
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body})

    def _write_down(self, service: str, host: str, scope: Scope) -> Entry:
        headers = Headers(scope=scope)
        address = scope.get("client") or ("", 0)
        return self._log.add(
            at=self._cloud.clock.now().isoformat(),
            service=service,
            method=scope["method"],
            host=host,
            path=scope["path"],
            query=without_secrets(scope["query_string"].decode("latin-1")),
            connection=f"{address[0]}:{address[1]}",
            user_agent=headers.get("user-agent"),
            x_ms_client_request_id=headers.get("x-ms-client-request-id") or headers.get("client-request-id"),
            caller=self._cloud.tokens.client_id(headers.get("authorization", "").partition(" ")[2]),
        )


def _services(cloud: Cloud) -> Iterable[Service]:
    return cloud.services.values()


async def _struck(fault: Fault, service: Service, app: ASGIApp, exchange: Exchange) -> Response | None:
    """Return the answer of a request that a fault struck; None when its client went before it was processed."""
    early = fault.request.when is When.BEFORE
    lost = await exchange.process(app) if not early else None
    if fault.request.status is not None:
        return _replacement(fault, service)
    if fault.request.delay is not None:
        await asyncio.sleep(fault.request.delay)
    elif not await _released(fault, exchange) and early:
        return None
    return lost or await exchange.process(app)


def _replacement(fault: Fault, service: Service) -> Response:
    status, retry_after = fault.request.status or 500, fault.request.retry_after
    error = service.throttled(retry_after) if status == 429 else service.broken(status)
    if retry_after is not None:
        error.headers["Retry-After"] = str(retry_after)
    return error.response()


async def _released(fault: Fault, exchange: Exchange) -> bool:
    """Wait until a held request is let go; False when its client went first."""
    waits = [asyncio.ensure_future(fault.released.wait()), asyncio.ensure_future(exchange.gone())]
    fault.held += 1
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return fault.released.is_set()
    finally:
        fault.held -= 1
        for wait in waits:
            wait.cancel()
