"""Knows how to tell a request of the app in few words, from the log of the simulated Azure."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from local.onlooker import USER_AGENT
from local.stack import Stack

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
_NAMELESS = re.compile(rf"{_ID.pattern}|[0-9]+")


class Call(msgspec.Struct, frozen=True):
    """One request to a simulated service; `status` is None while it is under way."""

    n: int
    at: datetime
    service: str
    method: str
    path: str
    status: int | None
    user_agent: str | None

    def told(self) -> str:
        """Return method, the last part of the path that has a name, status."""
        parts = self.path.strip("/").split("/")
        named = max((i for i, part in enumerate(parts) if not _NAMELESS.fullmatch(part)), default=0)
        challenge = " (asks for a token)" if (self.service, self.status) == ("keyvault", 401) else ""
        return f"{self.method} {short(parts[named]) or '/'} {self.status or 'under way'}{challenge}"


def calls_of(stack: Stack, since: int = 0) -> list[Call]:
    """Return the app's requests after number `since`, without those of the onlooker."""
    found = msgspec.convert(stack.control.requests(since), list[Call])
    return [call for call in found if call.user_agent != USER_AGENT]


def counted(calls: Iterable[Call]) -> dict[str, int]:
    """Return how many requests each service got, most first."""
    return dict(Counter(call.service for call in calls).most_common())


def told(calls: Iterable[Call]) -> str:
    """Return several requests, by service in order of appearance."""
    by_service: dict[str, list[str]] = {}
    for call in calls:
        by_service.setdefault(call.service, []).append(call.told())
    return "; ".join(f"{service}: {', '.join(_repeated(some))}" for service, some in by_service.items())


def _repeated(told: list[str]) -> list[str]:
    return [f"{one} ({times} times)" if times > 1 else one for one, times in Counter(told).items()]


def short(text: Any) -> str:
    """Return text with ids cut to their first eight characters."""
    return _ID.sub(lambda match: f"{match[0][:8]}…", str(text))
