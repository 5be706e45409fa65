"""Knows the way of a request through the simulated Azure: log, faults, the service that its host or port names."""

from email.utils import format_datetime

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from local.azure.cloud import Cloud
from local.azure.exchange import Exchange
from local.azure.request_log import Entry, RequestLog, parameter, without_secrets
from local.azure.striking import Striking
from local.azure.wire import Answering, Service, service_app

CONTROL_HOSTS = frozenset({"localhost", "127.0.0.1"})


class Pipeline:
    """What every request goes through, whichever port it came by."""

    def __init__(self, cloud: Cloud, log: RequestLog, striking: Striking) -> None:
        self._cloud = cloud
        self._log = log
        self._striking = striking

    async def answer(self, service: Answering, app: ASGIApp, host: str, exchange: Exchange) -> None:
        """Have a service's application answer one request, unless a fault has other plans."""
        if not await exchange.read():
            return
        entry = self._write_down(service.name, host, exchange.scope)
        response = await self._striking.answered(service, app, exchange)
        if response is None:
            return
        entry.status = response.status_code
        response.headers.setdefault("date", format_datetime(self._cloud.clock.now(), usegmt=True))
        await exchange.send(response)

    def _write_down(self, service: str, host: str, scope: Scope) -> Entry:
        headers = Headers(scope=scope)
        address = scope.get("client") or ("", 0)
        query = scope["query_string"].decode("latin-1")
        return self._log.add(
            at=self._cloud.clock.now().isoformat(),
            service=service,
            method=scope["method"],
            host=host,
            path=scope["path"],
            query=without_secrets(query),
            connection=f"{address[0]}:{address[1]}",
            user_agent=headers.get("user-agent"),
            x_ms_client_request_id=headers.get("x-ms-client-request-id") or headers.get("client-request-id"),
            caller=self._cloud.tokens.client_id(headers.get("authorization", "").partition(" ")[2])
            or parameter(query, "client_id"),
        )


class ByHost:
    """The ASGI application of the TLS port: all services, and the control API."""

    def __init__(self, cloud: Cloud, pipeline: Pipeline, striking: Striking, control: ASGIApp) -> None:
        self._pipeline = pipeline
        self._striking = striking
        self._control = control
        self._apps = [(service, service_app(service)) for service in cloud.services.values()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = Headers(scope=scope).get("host", "").rpartition(":")[0].lower()
        if host in CONTROL_HOSTS:
            if scope["method"] == "POST":
                self._striking.replicas.before_change()
            await self._control(scope, receive, send)
            return
        found = self._serving(host)
        if found is None:
            await JSONResponse({"error": f"no simulated service is called {host!r}"}, 404)(scope, receive, send)
            return
        await self._pipeline.answer(*found, host, Exchange(scope, receive, send))

    def refuses(self, host: str) -> bool:
        """Tell whether a new connection for this host is refused."""
        found = self._serving(host)
        return found is not None and self._striking.faults.refuse(found[0].name)

    def _serving(self, host: str) -> tuple[Service, ASGIApp] | None:
        return next(((service, app) for service, app in self._apps if service.serves(host)), None)


class OnePort:
    """The ASGI application of a port that one service has to itself; `host` is what the log calls it."""

    def __init__(self, service: Answering, host: str, pipeline: Pipeline, striking: Striking) -> None:
        self._service = service
        self._app = service_app(service)
        self._host = host
        self._pipeline = pipeline
        self._striking = striking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._pipeline.answer(self._service, self._app, self._host, Exchange(scope, receive, send))

    def refuses(self, _host: str) -> bool:
        """Tell whether a new connection is refused."""
        return self._striking.faults.refuse(self._service.name)
