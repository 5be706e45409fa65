"""Counts the requests to the blob service: stands between app and Azurite, which tells nobody what it was asked."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"^(?:GET|HEAD|PUT|POST|DELETE|PATCH) /\S* HTTP/1\.1\r$", re.MULTILINE)


class Counter:
    """Passes bytes on, in a thread of its own, and counts the request lines among them."""

    def __init__(self, target: str) -> None:
        self.requests = 0
        self._target = urlsplit(target)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[str]:
        """Listen; gives the URL that stands for the target's."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        self._ready.wait()
        try:
            yield f"http://127.0.0.1:{self.port}{self._target.path}"
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    def _run(self) -> None:
        with closing(self._loop):
            server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            server.close()
            self._loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, down = await asyncio.open_connection(self._target.hostname, self._target.port)
        await asyncio.gather(
            self._pump(reader, down, count=True), self._pump(upstream, writer, count=False), return_exceptions=True
        )

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, count: bool) -> None:
        with suppress(ConnectionError), closing(sink):
            while data := await source.read(1 << 16):
                # A client writes a request's head at once: none is cut in two.
                self.requests += len(_REQUEST.findall(data)) if count else 0
                sink.write(data)
                await sink.drain()
