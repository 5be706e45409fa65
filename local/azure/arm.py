"""Speaks for Azure Resource Manager, where nothing is simulated yet: every path is a 404 in its error shape."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from local.azure.cloud import Cloud
from local.azure.wire import ServiceError


def _error(status: int, code: str, message: str) -> ServiceError:
    return ServiceError(status, {"error": {"code": code, "message": message}})


class ResourceManager:
    """Azure Resource Manager without any resource."""

    name = "arm"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def serves(self, host: str) -> bool:
        """Answer on `management.localhost`."""
        return host == "management.localhost"

    def routes(self) -> Sequence[BaseRoute]:
        """Return the one route there is."""
        return [Route("/{path:path}", self._nothing, methods=["GET", "PUT", "PATCH", "POST", "DELETE"])]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return the 429 of Azure Resource Manager."""
        after = f" after {retry_after} seconds" if retry_after is not None else ""
        return _error(429, "TooManyRequests", f"The request is being throttled. Please try again{after}.")

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx of Azure Resource Manager."""
        return _error(status, "InternalServerError", "An internal server error occurred.")

    def seed(self, document: dict[str, Any]) -> None:
        """Take nothing."""

    def state(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    async def _nothing(self, request: Request) -> Response:
        path = request.path_params["path"]
        raise _error(404, "ResourceNotFound", f"The Resource '{path}' was not found in the simulated Azure.")
