"""Knows how connections come in, and how they are refused and reset: by TCP RST, as a host that is gone does it.

Several services share a TLS port, so that none can close it. A connection to a refused service is reset as soon as its
TLS greeting names that service, before one byte is answered; what is open to it is reset as well. A service with a port
of its own is refused right after accepting. Only the refusal of everything closes the ports.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine
from typing import Any, override

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

BACKLOG = 512
_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends a reset instead of an orderly end."""
_GREETING_BYTES = 1 << 16
_GREETING_PAUSE, _GREETING_TIMEOUT = 0.01, 10.0

type Key = tuple[tuple[str, int], tuple[str, int]]
"""A connection's two ends, the client's first."""


class Connections:
    """The open connections of all ports, and which services each has been used for."""

    def __init__(self) -> None:
        self._open: dict[Key, asyncio.Transport] = {}
        self._used: dict[Key, set[str]] = {}

    def opened(self, transport: asyncio.Transport) -> Key:
        """Take a connection in before its first request."""
        key = (transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
        self._open[key] = transport
        return key

    def closed(self, key: Key) -> None:
        """Forget a connection."""
        self._open.pop(key, None)
        self._used.pop(key, None)

    def used(self, scope: Scope, service: str) -> None:
        """Note that a request to this service came by a connection."""
        self._used.setdefault((scope["client"], scope["server"]), set()).add(service)

    def reset(self, scope: Scope) -> None:
        """Reset the connection that a request came by."""
        self._reset((scope["client"], scope["server"]))

    def reset_used_for(self, service: str) -> None:
        """Reset every connection that was used for a service."""
        for key in [key for key, used in self._used.items() if service in used]:
            self._reset(key)

    def reset_all(self, *, but: Scope | None = None) -> None:
        """Reset every connection, except the one that a request came by."""
        for key in [key for key in self._open if not but or key != (but["client"], but["server"])]:
            self._reset(key)

    def _reset(self, key: Key) -> None:
        if transport := self._open.get(key):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()


def protocol(connections: Connections) -> type[H11Protocol]:
    """Return uvicorn's HTTP protocol, with its connections known."""

    class KnownConnection(H11Protocol):
        """One connection of a client."""

        @override
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
            self._key = connections.opened(transport)
            super().connection_made(transport)

        @override
        def connection_lost(self, exc: Exception | None) -> None:
            connections.closed(self._key)
            super().connection_lost(exc)

    return KnownConnection


class Gate:
    """One listening port. While `refusing`, `refuses` is asked with the host that a client wants ("": not said)."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        refusing: Callable[[], bool],
        refuses: Callable[[str], bool],
    ) -> None:
        self._listener = listener
        self._address = listener.getsockname()
        self._protocol, self._context = protocol, context
        self._refusing, self._refuses = refusing, refuses
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Accept connections from now on."""
        self._listener.setblocking(False)  # noqa: FBT003 - the socket API
        self._start(self._accept())

    async def close(self) -> None:
        """Accept none any more and let the port go."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def shut(self) -> None:
        """Refuse everybody, as a port on which nobody listens does; the port stays ours."""
        await self.close()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self._address)

    def reopen(self) -> None:
        """Accept again after `shut`."""
        self._listener.listen(BACKLOG)
        self.open()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            self._start(self._admit(connection))

    async def _admit(self, connection: socket.socket) -> None:
        # A client may go during its greeting, or never finish it: nobody wants to know.
        with contextlib.suppress(OSError), contextlib.ExitStack() as unless_admitted:
            unless_admitted.callback(connection.close)
            if self._refusing() and self._refuses(await self._wanted_host(connection)):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                return
            # asyncio does this only for sockets that name their protocol: else each answer waits 40 ms for an ACK.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection, ssl=self._context)
            unless_admitted.pop_all()

    async def _wanted_host(self, connection: socket.socket) -> str:
        """Return the host that a client asks for; its greeting stays unread."""
        async with asyncio.timeout(_GREETING_TIMEOUT):
            while self._context is not None:
                with contextlib.suppress(BlockingIOError):
                    greeting = connection.recv(_GREETING_BYTES, socket.MSG_PEEK)
                    if (host := named_host(greeting)) is not None or not greeting:
                        return host or ""
                await asyncio.sleep(_GREETING_PAUSE)
        return ""


def named_host(greeting: bytes) -> str | None:
    """Return the host that a TLS greeting names, "" if it names none; None while the greeting isn't complete."""
    named: list[str] = []

    def note(_tls: Any, host: str | None, _context: Any) -> int:
        named.append(host or "")
        return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = note
    incoming = ssl.MemoryBIO()
    incoming.write(greeting)
    try:
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError:
        return "".join(named)
    return ""
