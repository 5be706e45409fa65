"""Speaks for Azure Resource Manager: hands each resource provider its paths and knows what all of them share."""

from collections.abc import Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure.arm_access import Access, error
from local.azure.arm_assignments import Authorization
from local.azure.arm_identities import ManagedIdentities
from local.azure.arm_logic import Workflows
from local.azure.arm_storage import StorageAccounts
from local.azure.arm_web import Sites
from local.azure.cloud import Cloud
from local.azure.wire import ServiceError


class Provider(Protocol):
    """The resources of one provider; built with the cloud and the role assignments."""

    namespace: str
    """As in ARM ids, such as `Microsoft.Storage`; also the key of its part in `state`."""

    def __init__(self, cloud: Cloud, access: Access) -> None: ...

    def routes(self) -> Sequence[BaseRoute]:
        """Return its routes, from `/subscriptions/...` on; handlers call `Access.require` first."""
        ...

    def seed(self, document: dict[str, Any]) -> None:
        """Take its part out of a whole seed document; a ValueError names field and value."""
        ...

    def state(self) -> dict[str, Any]:
        """Return its resources, secret values included."""
        ...


PROVIDERS: tuple[type[Provider], ...] = (StorageAccounts, Workflows, Sites, ManagedIdentities, Authorization)
"""In the order in which they are seeded."""


class ResourceManager:
    """Azure Resource Manager with the providers that are simulated."""

    name = "arm"

    def __init__(self, cloud: Cloud) -> None:
        self.access = Access(cloud)
        self.providers = {provider.namespace: provider(cloud, self.access) for provider in PROVIDERS}

    def serves(self, host: str) -> bool:
        """Answer on `management.localhost`."""
        return host == "management.localhost"

    def routes(self) -> Sequence[BaseRoute]:
        """Return the providers' routes, then what is there for every scope."""
        every = ["GET", "PUT", "PATCH", "POST", "DELETE"]
        return [
            *(route for provider in self.providers.values() for route in provider.routes()),
            Route("/{scope:path}/providers/Microsoft.Authorization/permissions", self._permissions, methods=["GET"]),
            Route("/{path:path}", self._nothing, methods=every),
        ]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return the 429 of Azure Resource Manager."""
        after = f" after {retry_after} seconds" if retry_after is not None else ""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return error(429, "TooManyRequests", f"The request is being throttled. Please try again{after}.", headers)

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx of Azure Resource Manager."""
        return error(status, "InternalServerError", "An internal server error occurred.")

    def seed(self, document: dict[str, Any]) -> None:
        """Take the role assignments, then each provider's part."""
        self.access.seed(document)
        for provider in self.providers.values():
            provider.seed(document)

    def state(self) -> dict[str, Any]:
        """Return every provider's resources, by namespace."""
        return {namespace: provider.state() for namespace, provider in self.providers.items()}

    async def _permissions(self, request: Request) -> Response:
        return JSONResponse(self.access.permissions(self.access.caller(request), f"/{request.path_params['scope']}"))

    async def _nothing(self, request: Request) -> Response:
        self.access.caller(request)
        path = request.path_params["path"]
        raise error(404, "ResourceNotFound", f"The Resource '{path}' was not found in the simulated Azure.")
