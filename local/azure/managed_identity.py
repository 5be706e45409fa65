"""Speaks the managed identity endpoint of App Service and Functions, api-version 2019-08-01."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.azure.cloud import Cloud
from local.azure.request_log import RequestLog


class ManagedIdentityEndpoint:
    """Hands tokens to whoever knows the identity header."""

    def __init__(self, cloud: Cloud, log: RequestLog, header: str) -> None:
        self._cloud = cloud
        self._log = log
        self._header = header

    def app(self) -> Starlette:
        """Return the endpoint as an application."""
        return Starlette(routes=[Route("/msi/token", self._token)])

    async def _token(self, _request: Request) -> Response:
        return JSONResponse({}, 501)
