"""Puts parts of seed documents together, and names what is in them."""

import secrets
from typing import Any


def new_name(prefix: str) -> str:
    """Return a name that nothing had before, so that nothing can rely on one."""
    return f"{prefix}-{secrets.token_hex(3)}"


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
