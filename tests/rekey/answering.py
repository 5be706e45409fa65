"""Knows how to stand in for the operator API: a server that says what it was told to and keeps what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request: method, path with query, headers in lower case, body."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Api:
    """What is answered to `METHOD path`, the query left out: status, JSON or bytes; of several the last one stays."""

    origin: str
    answers: dict[str, list[tuple[int, Any, dict[str, str]]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, what: str, body: Any, status: int = 200, **headers: str) -> None:
        """Say what is answered, after what was said before."""
        self.answers.setdefault(what, []).append((status, body, headers))


@contextmanager
def answering() -> Iterator[Api]:
    """Run a server on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(size)) if size else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            api.asked.append(Asked(self.command, self.path, headers, sent))
            queue = api.answers.get(f"{self.command} {self.path.partition('?')[0]}", [(404, b"", {})])
            status, body, more = queue.pop(0) if len(queue) > 1 else queue[0]
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the names are the base class's

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api = Api(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
