"""What every simulated service shares on the wire: its interface, its errors, and who is calling."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute


class ServiceError(Exception):
    """A refusal in the real service's own words: `body` is sent as JSON exactly as given."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status, self.body, self.headers = status, body, headers or {}

    def response(self) -> Response:
        """Return the refusal as the service sends it."""
        return JSONResponse(self.body, self.status, self.headers)


@dataclass(frozen=True)
class Caller:
    """Who a valid bearer token speaks for, after its audience, signature and expiry were checked."""

    object_id: str
    client_id: str
    tenant: str
    app_roles: frozenset[str] = field(default_factory=frozenset)


class Answering(Protocol):
    """Whatever answers requests and can be made to fail."""

    name: str
    """Short name used in `/_sim/requests` and `/_sim/faults`, such as `keyvault`."""

    def routes(self) -> Sequence[BaseRoute]:
        """Return the Starlette routes of this service; handlers may raise ServiceError."""
        ...

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return the real service's 429 (used by faults)."""
        ...

    def broken(self, status: int) -> ServiceError:
        """Return the real service's 408 or 5xx of that status (used by faults)."""
        ...


class Service(Answering, Protocol):
    """One simulated service; built with the Cloud it belongs to, holds its own state, reads others' through it."""

    def serves(self, host: str) -> bool:
        """Tell whether requests for this host name (no port, lower case) are this service's."""
        ...

    def seed(self, document: dict[str, Any]) -> None:
        """Take this service's part out of a whole `/_sim/seed` document; a ValueError names field and value.

        Absent part: nothing to do. Seeding is additive, keyed by name. Handlers and this run on one event loop.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return the service's state for `/_sim/state`, secret values included (tests judge by it)."""
        ...


@runtime_checkable
class HearsTime(Protocol):
    """A service that wants to know when the simulated clock was moved."""

    def time_moved(self) -> Awaitable[None] | None:
        """Do what falls due; called after the clock was moved, awaited where it is a coroutine function."""
        ...


@runtime_checkable
class AddsToControl(Protocol):
    """A service that adds to the control API."""

    def control_routes(self) -> Sequence[BaseRoute]:
        """Return the routes, with paths under `/_sim/`."""
        ...


@runtime_checkable
class TellsSeeded(Protocol):
    """A service that adds to the answer of `/_sim/seed`."""

    def seeded(self) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        """Return what the last seeding made (ids, versions, urls; no secret values); called once after each.

        It is called after every service took its part, and awaited where it is a coroutine function.
        """
        ...


async def _refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    return error.response()


def service_app(service: Answering) -> Starlette:
    """Return a service's routes as an application that answers ServiceError in the service's own words."""
    return Starlette(routes=list(service.routes()), exception_handlers={ServiceError: _refusal})


type Authenticate = Callable[[Request], Caller]
"""Returns the caller of a request; raises ValueError with the reason when the token is missing or not acceptable."""
