"""What the host answers over HTTP: the app's HTTP triggers and /admin."""

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.host.admin import Admin
from local.host.backend import LocalBackend
from local.host.functions import FunctionInfo
from local.host.instances import dump
from local.host.management import Management
from local.host.routes import Route as FunctionRoute
from local.host.routes import compile_route, find_route
from local.host.settings import HostSettings
from local.host.supervisor import NoWorkerError, Supervisor, WorkerLostError
from local.host.wire import HttpCall
from local.host.wire import Response as FunctionResponse

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]


def http_routes(functions: Mapping[str, FunctionInfo], prefix: str) -> list[FunctionRoute]:
    """Return the routes of the HTTP triggers that are enabled, prefix included; RouteError if one isn't understood."""
    routes = []
    for name, info in functions.items():
        if info.trigger["type"] == "httpTrigger" and not info.disabled:
            path = f"{prefix}/{info.trigger.get('route') or name}".strip("/")
            routes.append(compile_route(name, path, info.trigger.get("methods") or ()))
    return routes


class Front:
    """The ASGI application of the host."""

    def __init__(
        self,
        supervisor: Supervisor,
        backend: LocalBackend,
        management: Management,
        admin: Admin,
        settings: HostSettings,
    ) -> None:
        self._supervisor = supervisor
        self._backend = backend
        self._routes = http_routes(supervisor.functions, settings.route_prefix)
        self.app = Starlette(
            routes=[
                *management.routes(),
                *admin.routes(),
                Route("/admin/local/durable-store", self.durable_store),
                Route("/{path:path}", self.http_trigger, methods=_METHODS),
            ],
            middleware=_cors(settings),
        )

    def describe(self, info: FunctionInfo, port: int) -> str:
        """Return how a function is reached, as Core Tools prints it, and whether it is disabled."""
        if info.disabled:
            return f"{info.trigger['type']} (disabled)"
        for route in self._routes:
            if route.function == info.name:
                return f"[{','.join(sorted(route.methods)) or '*'}] http://localhost:{port}/{route.template}"
        return str(info.trigger["type"])

    async def http_trigger(self, request: Request) -> Response:
        """Run the HTTP function whose route this is: 404 if there is none (a wrong method included)."""
        found = find_route(self._routes, request.method, request.path_params["path"])
        if found is None:
            return Response(status_code=404)
        route, values = found
        call = HttpCall(
            method=request.method,
            url=str(request.url),
            headers=_joined(request.headers.items(), ", "),
            route=values,
            query=_joined(request.query_params.multi_items(), ","),
            body=await request.body(),
        )
        try:
            outcome = await self._supervisor.call(route.function, call)
        except WorkerLostError:
            return Response(status_code=502)
        except NoWorkerError:
            return Response(status_code=503)
        return _answer(outcome) if isinstance(outcome, FunctionResponse) else Response(status_code=500)

    async def durable_store(self, _: Request) -> Response:
        """Return everything that the engine stores."""
        return JSONResponse(dump(*self._backend.stored()))


def _cors(settings: HostSettings) -> list[Middleware]:
    """Return what lets pages of the sites named call the functions; nothing if none is named."""
    if not settings.origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=settings.origins_credentials,
        )
    ]


def _joined(items: Any, separator: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in items:
        joined[name] = f"{joined[name]}{separator}{value}" if name in joined else value
    return joined


def _answer(response: FunctionResponse) -> Response:
    answer = Response(response.body, response.status)
    # The function's own headers only, repeated ones (cookies) as often as it said.
    length = [(b"content-length", str(len(response.body)).encode())]
    named = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    answer.raw_headers = [pair for pair in named if pair[0] != b"content-length"] + length
    return answer
