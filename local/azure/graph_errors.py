"""Knows Microsoft Graph's refusals in its own words."""

import uuid
from typing import Any

from starlette.requests import Request

from local.azure.clock import Clock
from local.azure.wire import ServiceError


def error(
    clock: Clock, status: int, code: str, message: str, *, details: list[dict[str, Any]] | None = None
) -> ServiceError:
    """Return an error in the shape that every answer of Graph has."""
    inner = {"date": clock.now().strftime("%Y-%m-%dT%H:%M:%S"), "request-id": str(uuid.uuid4())}
    inner["client-request-id"] = inner["request-id"]
    told = {"code": code, "message": message} | ({"details": details} if details else {})
    headers = {"request-id": inner["request-id"]}
    return ServiceError(status, {"error": {**told, "innerError": inner}}, headers)


class GraphErrors:
    """Graph's refusals, dated by the simulated clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def unauthenticated(self, reason: str) -> ServiceError:
        """Return the refusal of a token."""
        refused = error(self._clock, 401, "InvalidAuthenticationToken", f"Access token validation failure: {reason}.")
        refused.headers["WWW-Authenticate"] = 'Bearer realm="", error="invalid_token"'
        return refused

    def denied(self) -> ServiceError:
        """Return the refusal of a caller without the permission."""
        return error(
            self._clock,
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )

    def missing(self, what: str) -> ServiceError:
        """Return that an object doesn't exist."""
        message = f"Resource '{what}' does not exist or one of its queried reference-property objects are not present."
        return error(self._clock, 404, "Request_ResourceNotFound", message)

    def bad(self, message: str, code: str = "Request_BadRequest", **details: Any) -> ServiceError:
        """Return the refusal of a request that can't be right."""
        return error(self._clock, 400, code, message, **details)

    def conflict(self) -> ServiceError:
        """Return what a write meets that comes too close to another one."""
        message = "Error due to concurrent requests being made to the tenant. Please wait briefly and retry."
        return error(self._clock, 409, "Directory_ConcurrencyViolation", message)

    def same_name(self, message: str) -> ServiceError:
        """Return the refusal of an object whose name another one has."""
        return error(self._clock, 409, "Request_MultipleObjectsWithSameKeyValue", message)

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return a 429."""
        refused = error(self._clock, 429, "TooManyRequests", "Too many requests.")
        if retry_after is not None:
            refused.headers["Retry-After"] = str(retry_after)
        refused.headers["x-ms-throttle-scope"] = "Tenant_Application/ReadWrite"
        refused.headers["x-ms-throttle-information"] = "WriteRequestsLimitExceeded"
        return refused

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx."""
        codes = {500: "InternalServerError", 503: "ServiceUnavailable", 504: "GatewayTimeout"}
        message = "An error has occurred in the service. Please retry."
        return error(self._clock, status, codes.get(status, "UnknownError"), message)


def with_ids(request: Request, refused: ServiceError) -> ServiceError:
    """Put the caller's own request id into a refusal, as Graph does."""
    if ours := request.headers.get("client-request-id"):
        refused.body["error"]["innerError"]["client-request-id"] = ours
        refused.headers["client-request-id"] = ours
    return refused
