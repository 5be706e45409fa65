"""RFC 6761: every name that ends in .localhost is this machine, whatever the system's resolver thinks of it."""

import socket
from typing import Any


def resolve_localhost() -> None:
    """Make this process resolve *.localhost to 127.0.0.1 (glibc without nss-myhostname, musl and macOS don't)."""
    system = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        return system("127.0.0.1" if _is_local(host) else host, port, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


def _is_local(host: Any) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return isinstance(name, str) and name.rstrip(".").lower().endswith(".localhost")
