"""How the SDKs' requests go out: each exactly once, and never called unsent when it may have arrived.

aiohttp repeats a PUT or DELETE by itself when a kept connection breaks, which in Key Vault makes a second version; and
azure-core calls every broken connection a request that was not sent, after which writes may be repeated.
"""

from collections.abc import Callable
from typing import Any, override

import aiohttp
from azure.core.exceptions import ServiceRequestError, ServiceRequestTimeoutError, ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest


class SentOnce(AioHttpTransport):  # type: ignore[misc] # azure-core hides its type behind a lazy import
    """aiohttp's transport without repetitions of its own; a lost answer is a ServiceResponseError."""

    def __init__(self, session: Callable[..., aiohttp.ClientSession], **timeouts: float) -> None:
        super().__init__(**timeouts)
        self._make_session = session
        self._opened = False

    @override
    async def open(self) -> None:
        """Make the session as azure-core does, on the first use; after `close` it stays closed."""
        if not self._opened:
            self._opened = True
            self.session = self._make_session(
                trust_env=True, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, middlewares=(_once,)
            )
        await super().open()

    @override
    async def send(self, request: HttpRequest, **options: Any) -> AsyncHttpResponse:
        """Send a request; ServiceRequestError only if there was no connection to send it by."""
        try:
            answer: AsyncHttpResponse = await super().send(request, **options)
        except ServiceRequestTimeoutError:
            raise
        except ServiceRequestError as error:
            if isinstance(error.inner_exception, aiohttp.ClientConnectorError):
                raise
            raise ServiceResponseError("the connection broke", error=error.inner_exception) from None
        return answer


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Let a broken connection look like nothing that aiohttp repeats a request after."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(type(error).__name__) from error
