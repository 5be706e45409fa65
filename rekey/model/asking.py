"""Reads what somebody asks for, field by field: whoever sent it may have left out, misspelt or invented anything."""

from collections.abc import Collection, Mapping

import msgspec


def read[T: msgspec.Struct](
    payload: object, kind: type[T], expected: Mapping[str, str], required: Collection[str]
) -> T:
    """Return `payload` (JSON types) as `kind`; ValueError names the first bad field, its value and what was expected.

    `expected` says it in words for every field, `required` are those that have to be there.
    """
    if not isinstance(payload, dict):
        raise ValueError(f"input: got {shown(payload)}, expected an object with {', '.join(expected)}")  # noqa: TRY004
    for field, words in expected.items():
        if field not in payload and field in required:
            raise ValueError(f"{field}: missing, expected {words}")
        try:
            if field in payload:
                msgspec.convert(payload[field], kind.__annotations__[field])
        except msgspec.ValidationError:
            raise wrong(field, payload[field], words) from None
    for field in payload:
        if field not in expected:
            raise ValueError(f"{field}: unknown, expected {', '.join(expected)}")
    return msgspec.convert(payload, kind)


def wrong(field: str, value: object, expected: str) -> ValueError:
    """Return the error of a field that can't be used."""
    return ValueError(f"{field}: got {shown(value)}, expected {expected}")


def shown(value: object) -> str:
    """Return a value as an error quotes it, a long one shortened."""
    return repr(value) if len(repr(value)) <= 100 else repr(value)[:100] + "..."
