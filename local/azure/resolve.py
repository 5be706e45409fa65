"""Knows that `*.localhost` is this machine (RFC 6761), which the C library of many machines doesn't."""

import socket
from typing import Any

_SUFFIX = ".localhost"


def install() -> None:
    """Make this process resolve `*.localhost` to 127.0.0.1; doing it twice is harmless."""
    if getattr(socket.getaddrinfo, "resolves_localhost", False):
        return
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name.rstrip(".").lower().endswith(_SUFFIX):
            host = "127.0.0.1"
        return original(host, *args, **kwargs)

    getaddrinfo.resolves_localhost = True  # type: ignore[attr-defined]
    socket.getaddrinfo = getaddrinfo
