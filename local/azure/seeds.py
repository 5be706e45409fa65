"""Knows how a part of a seed document becomes a typed value, or an error that names field, value and expectation."""

import re
from typing import Any

import msgspec


def parsed[T](part: Any, kind: type[T], at: str) -> T:
    """Return `part` as `kind`; a ValueError names the field (below `at`), its value, and what was expected."""
    try:
        return msgspec.convert(part, kind)
    except msgspec.ValidationError as error:
        expected, _, path = str(error).partition(" - at ")
        steps = re.findall(r"\.(\w+)|\[(\d+)\]", path.strip("`"))
        names = [name or int(index) for name, index in steps]
        raise ValueError(f"{_shown(at, names)}: got {_found(part, names)!r}, {_lowered(expected)}") from None


def mapping(part: Any, at: str) -> dict[str, Any]:
    """Return `part` as an object with names as keys; nothing given is an empty one."""
    return parsed({} if part is None else part, dict[str, Any], at)


def _shown(at: str, names: list[str | int]) -> str:
    return ".".join([at, *map(str, names)])


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:].replace("`", "")


def _found(part: Any, names: list[str | int]) -> Any:
    for name in names:
        try:
            part = part[name]
        except (KeyError, IndexError, TypeError):
            return part
    return part
