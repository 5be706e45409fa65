"""Speaks the managed identity endpoint of App Service and Functions, api-version 2019-08-01."""

import secrets
import time
import uuid
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure.cloud import Cloud
from local.azure.directory import Identity
from local.azure.entra import known_resource
from local.azure.tokens import Subject
from local.azure.wire import ServiceError

_TOKEN_SECONDS = 86_400
_NOT_FOUND = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."


class ManagedIdentityEndpoint:
    """Hands tokens to whoever knows the identity header.

    Without a client id it answers for the only identity that the app has, as if that were the system-assigned one.
    """

    name = "managed-identity"

    def __init__(self, cloud: Cloud, header: str) -> None:
        self._cloud = cloud
        self._header = header

    def routes(self) -> Sequence[BaseRoute]:
        """Return the only operation."""
        return [Route("/msi/token", self._answered)]

    def throttled(self, _retry_after: int | None) -> ServiceError:
        """Return the endpoint's 429."""
        return self.broken(429)

    def broken(self, status: int) -> ServiceError:
        """Return a refusal of the endpoint."""
        return ServiceError(status, _refusal_body(status, "The service can't answer now. Please retry."))

    async def _answered(self, request: Request) -> Response:
        return self._token(request)

    def _token(self, request: Request) -> Response:
        header = request.headers.get("x-identity-header")
        if header is None:
            return _refusal(401, "Unauthorized")
        if not secrets.compare_digest(header, self._header):
            return _refusal(403, "Forbidden")
        if request.query_params.get("api-version") != "2019-08-01":
            return _refusal(400, "The api-version is not supported, expected 2019-08-01.")
        resource = request.query_params.get("resource", "")
        if not known_resource(self._cloud, resource):
            return _refusal(400, f"AADSTS500011: The resource principal named {resource} was not found.")
        identity = self._identity(request)
        return self._answer(identity, resource) if identity else _refusal(400, _NOT_FOUND)

    def _identity(self, request: Request) -> Identity | None:
        attached = [one for one in self._cloud.directory.identities.values() if one.attached]
        if client_id := request.query_params.get("client_id"):
            return next((one for one in attached if one.client_id == client_id.lower()), None)
        if object_id := request.query_params.get("principal_id"):
            return next((one for one in attached if one.object_id == object_id.lower()), None)
        return attached[0] if len(attached) == 1 else None

    def _answer(self, identity: Identity, resource: str) -> Response:
        subject = Subject(
            tenant=self._cloud.tenant,
            client_id=identity.client_id,
            object_id=identity.object_id,
            audience=resource,
            app_roles=identity.app_roles,
        )
        return JSONResponse(
            {
                "access_token": self._cloud.tokens.issue(subject, _TOKEN_SECONDS),
                # By the machine's clock, which is the one that the client compares it with.
                "expires_on": str(int(time.time()) + _TOKEN_SECONDS),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": identity.client_id,
            }
        )


def _refusal(status: int, message: str) -> Response:
    return JSONResponse(_refusal_body(status, message), status)


def _refusal_body(status: int, message: str) -> dict[str, Any]:
    return {"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())}
