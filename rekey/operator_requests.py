"""What operators send to the operator API, checked field by field, and how it says that something can't be used."""

from collections.abc import Callable
from typing import Any

import msgspec

from rekey.model import RotationRequest

STATES = ("open", "closed")
LARGEST = 16 * 1024
"""Bytes of a request's body."""
UNNAMED = "operator API"


class RefusedError(Exception):
    """A request that is answered with an error: status, and the body's kebab-case code, field and message."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = problem(code, message, field)


def read_object(body: bytes, expected: str) -> dict[str, Any]:
    """Return the JSON object in a request's body, less who asks: the body doesn't say that."""
    if len(body) > LARGEST:
        raise bad_input("body", f"{len(body)} bytes", f"at most {LARGEST}")
    try:
        payload = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError too
        raise bad_input("body", f"{len(body)} bytes that aren't JSON", expected) from None
    if not isinstance(payload, dict):
        raise bad_input("body", f"got a {type(payload).__name__}", expected)
    payload.pop("requested_by", None)
    return payload


def read_one(payload: dict[str, Any], caller: str) -> RotationRequest:
    """Return the one rotation a body asks for, names in lower case; who asks is `caller`, whatever the body says."""
    request = parsed(RotationRequest.parse, payload)
    return msgspec.structs.replace(
        request,
        vault=request.vault.strip().lower(),
        secret=request.secret.strip().lower(),
        requested_by=requester(caller),
    )


def parsed[T](parse: Callable[[object], T], payload: dict[str, Any]) -> T:
    """Return what `parse` makes of a body; its ValueError, which names the field, becomes the answer."""
    try:
        return parse(payload)
    except ValueError as error:
        raise RefusedError(400, "bad-input", str(error), str(error).partition(":")[0]) from None


def requester(caller: str) -> str:
    """Return who asks, in one short line for the evidence."""
    return _printable(caller) or UNNAMED


def read_state(state: str) -> str:
    """Return the records' state to list, "" for all."""
    if state and state not in STATES:
        raise bad_input("state", f"got {state[:100]!r}", f"one of {', '.join(STATES)}, or nothing for all")
    return state


def problem(code: str, message: str, field: str = "") -> dict[str, Any]:
    """Return the body of every answer that is an error."""
    named = {"field": field} if field else {}
    return {"error": {"code": code, **named, "message": message}}


def bad_input(field: str, got: str, expected: str) -> RefusedError:
    """Return the answer to a field that can't be used: `got` says in words what it held, `expected` what is right."""
    return RefusedError(400, "bad-input", f"{field}: {got}, expected {expected}", field)


def shown(value: object) -> str:
    """Return a value as an answer quotes it."""
    return ascii(value) if len(ascii(value)) <= 100 else ascii(value)[:100] + "..."


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable()).strip()[:200]
