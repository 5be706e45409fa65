"""JSON types and back, as the durable store keeps them."""

from typing import Any

import msgspec


def encode(value: Any) -> Any:
    """Return `value` as JSON types, as a step's input or output."""
    return msgspec.to_builtins(value)


def decode[T](payload: Any, kind: type[T]) -> T:
    """Return `payload` (JSON types) as `kind`; msgspec.ValidationError names the path of what is wrong."""
    return msgspec.convert(payload, kind)
