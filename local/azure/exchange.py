"""Knows one request and its answer apart from its client, who may have gone before either is done."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Exchange:
    """One request whose body was read, so that it can be processed even if its client has gone meanwhile."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._body = bytearray()

    async def read(self) -> bool:
        """Read the body; False when the client went before it was complete."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                return True

    async def gone(self) -> None:
        """Return when the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def process(self, app: ASGIApp) -> Response:
        """Run the request through an application and return the whole answer."""
        answer = Response()
        body = bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(self._body), "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status_code = message["status"]
                answer.raw_headers = list(message.get("headers", []))
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await app(self.scope, receive, send)
        answer.body = bytes(body)
        return answer

    async def send(self, answer: Response, *, half: bool = False) -> None:
        """Send an answer, or all of its head and only half of its body, which leaves the client waiting."""
        head = {"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers}
        body = bytes(answer.body)
        await self._send(head)
        await self._send(
            {"type": "http.response.body", "body": body[: len(body) // 2] if half else body, "more_body": half}
        )
