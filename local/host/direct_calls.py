"""How this process calls its own engine: the engine's gRPC methods, without a channel."""

from typing import Any, Never


class RefusedError(Exception):
    """The engine refused a request; `code` is what its gRPC clients see."""

    def __init__(self, code: Any, details: str) -> None:
        super().__init__(details)
        self.code = code


class DirectCall:
    """Stands in for the gRPC context."""

    def abort(self, code: Any, details: str) -> Never:
        """Raise what a gRPC client would be told."""
        raise RefusedError(code, details)
