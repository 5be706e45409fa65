"""What has to be true of a request right before it is sent: where it goes, and that it isn't too late."""

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rekey.errors import NotYetError, PermanentError

if TYPE_CHECKING:
    from azure.core.pipeline.policies import SansIOHTTPPolicy


def refuse_elsewhere(origin: str, url: str) -> None:
    """Raise PermanentError `wrong-host` unless the URL is of that origin."""
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}".lower() != origin.lower():
        raise PermanentError(
            "wrong-host",
            f"a request for {parts.scheme}://{parts.hostname} was stopped: this client speaks to {origin} only",
            "Nothing was sent. If the service answered with that address, report it to your security team.",
        )


def pinned_to(origin: str) -> "SansIOHTTPPolicy[Any, Any]":
    """Return the policy that keeps a client of azure-core at its origin."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class PinnedOrigin(SansIOHTTPPolicy[Any, Any]):
        """Refuses a request that leaves the client's origin, before any token is fetched for it."""

        def on_request(self, request: Any) -> None:
            refuse_elsewhere(origin, request.http_request.url)

    return PinnedOrigin()


def sent_in_time() -> "SansIOHTTPPolicy[Any, Any]":
    """Return the policy that lets a request go out in time or never."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class SentInTime(SansIOHTTPPolicy[Any, Any]):
        """Refuses a request that its sender wants sent by a certain time (option `send_until`, Unix time) or never."""

        def on_request(self, request: Any) -> None:
            until = request.context.options.pop("send_until", None)
            if until is not None and time.time() > until:
                raise NotYetError("too-late", "the request was held up for too long, and not sent")

    return SentInTime()
