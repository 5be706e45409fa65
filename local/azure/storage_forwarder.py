"""Stands in front of a storage account's blob or queue service, so that it can be seen and made to fail like others.

Requests are passed on as they are, signatures included: those cover path and headers, not the host.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self, override
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import aiohttp
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from yarl import URL

from local.azure.wire import ServiceError

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})
"""Headers that each of both connections has of its own."""
_ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_CODES = {408: "OperationTimedOut", 429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy"}


class StorageError(ServiceError):
    """A refusal of Azure Storage, which speaks XML."""

    @override
    def response(self) -> Response:
        code, message = self.body["code"], escape(self.body["message"])
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        headers = {"x-ms-error-code": code, **self.headers}
        return Response(f'<?xml version="1.0" encoding="utf-8"?>{error}', self.status, headers, "application/xml")


class StorageForwarder:
    """One service of a storage account. Use it as a context manager; `target` is its endpoint, account included."""

    name = "storage"

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path
        """The account's part of the path."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=_ADDED_BY_AIOHTTP)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def routes(self) -> Sequence[BaseRoute]:
        """Return one route for everything."""
        return [Route("/{path:path}", self._forward, methods=_METHODS)]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return a 429; under load a storage account answers 503 ServerBusy."""
        return self.broken(429, {"Retry-After": str(retry_after)} if retry_after is not None else None)

    def broken(self, status: int, headers: dict[str, str] | None = None) -> ServiceError:
        """Return the storage account's 408 or 5xx."""
        code = _CODES.get(status, "InternalError")
        message = "The server is currently unable to receive requests. Please retry your request."
        return StorageError(status, {"code": code, "message": message}, headers)

    async def _forward(self, request: Request) -> Response:
        query = request.scope["query_string"].decode("latin-1")
        path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
        url = URL(f"{self._origin}{path}{'?' + query if query else ''}", encoded=True)
        headers = [(k, v) for k, v in request.headers.items() if k not in _OF_THE_CONNECTION - {"date"}]
        body = await request.body()
        async with self._session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            response = Response(await answer.read(), answer.status)
            response.raw_headers = [
                (k.lower(), v) for k, v in answer.raw_headers if k.lower().decode() not in _OF_THE_CONNECTION
            ]
        if "content-length" not in response.headers and request.method != "HEAD":
            response.headers["content-length"] = str(len(bytes(response.body)))
        return response
