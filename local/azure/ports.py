"""Knows how applications are served on listening sockets, and how all of them are gone for a while."""

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

import uvicorn
from starlette.types import Receive, Scope, Send

from local.azure.gate import BACKLOG, Connections, Gate, protocol


class Served(Protocol):
    """An ASGI application that says which connections are to be refused."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...

    def refuses(self, host: str) -> bool:
        """Tell whether a new connection for this host ("" where none is named) is refused."""
        ...


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Ports:
    """The listening ports. Use it as a context manager; `refusing` tells whether any connection may be refused."""

    def __init__(self, connections: Connections, refusing: Callable[[], bool]) -> None:
        self._connections = connections
        self._protocol = protocol(connections)
        self._refusing = refusing
        self._gates: list[Gate] = []
        self._servers: list[_Server] = []
        self._serving: list[asyncio.Task[None]] = []
        self._reopening: asyncio.Task[None] | None = None

    async def open(self, app: Served, listener: socket.socket, context: ssl.SSLContext | None = None) -> None:
        """Serve an application on a listening socket, by TLS if there is a context."""
        server = _Server(_config(app))
        made = functools.partial(self._protocol, config=server.config, server_state=server.server_state, app_state={})
        gate = Gate(listener, made, context, self._refusing, app.refuses)
        self._servers.append(server)
        self._gates.append(gate)
        # The server gets no socket of its own: connections come to it by the gate.
        serving = asyncio.create_task(server.serve([]))
        self._serving.append(serving)
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.01)
        gate.open()

    async def shut(self, seconds: float, *, but: Scope) -> None:
        """Refuse and reset everybody for so long, except the connection that this request came by."""
        for gate in self._gates:
            await gate.shut()
        self._connections.reset_all(but=but)
        self._reopening = asyncio.create_task(self._reopen(seconds))

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for gate in self._gates:
            gate.reopen()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reopening:
            self._reopening.cancel()
        for gate in self._gates:
            await gate.close()
        self._connections.reset_all()
        # Whoever ends the cloud waits for no answer: uvicorn's own end looks around every tenth of a second, twice.
        unanswered = [task for server in self._servers for task in server.server_state.tasks]
        for task in (*self._serving, *unanswered):
            task.cancel()
        await asyncio.gather(*self._serving, *unanswered, return_exceptions=True)


def listening(port: int) -> socket.socket:
    """Return a socket that listens on loopback; port 0 takes a free one."""
    return socket.create_server(("127.0.0.1", port), backlog=BACKLOG)


def _config(app: Served) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        date_header=False,  # the simulated Azure has a clock of its own
        timeout_keep_alive=300,
        timeout_graceful_shutdown=2,
    )
    config.load()
    return config
