"""Puts parts of seed documents together."""

from typing import Any


def merged(*parts: dict[str, Any]) -> dict[str, Any]:
    """Return one document with all of the parts: objects are merged, lists joined; otherwise the last one counts."""
    whole: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            whole[name] = _both(whole[name], value) if name in whole else value
    return whole


def _both(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        return merged(first, second)
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *second]
    return second
