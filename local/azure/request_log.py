"""Knows which requests the simulated Azure got, and what of them may be told: never a body or a token."""

from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

_SECRET_PARAMETERS = frozenset({"sig", "code", "client_secret", "client_assertion", "access_token", "password"})


def without_secrets(query: str) -> str:
    """Return a query string in which the values of secret parameters are replaced."""
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(name.lower() in _SECRET_PARAMETERS for name, _ in pairs):
        return query
    return urlencode([(name, "REDACTED" if name.lower() in _SECRET_PARAMETERS else v) for name, v in pairs])


def parameter(query: str, name: str) -> str | None:
    """Return the first value of a query parameter; None without one."""
    return next((value for key, value in parse_qsl(query) if key == name), None)


@dataclass
class Entry:
    """One request; `status` is None while it is under way, `caller` a client id."""

    n: int
    at: str
    service: str
    method: str
    host: str
    path: str
    query: str
    connection: str
    user_agent: str | None
    x_ms_client_request_id: str | None
    caller: str | None = None
    status: int | None = None


@dataclass
class RequestLog:
    """The requests in order of arrival, numbered from 1; numbers go on after the log was cleared."""

    entries: list[Entry] = field(default_factory=list)
    last: int = 0

    def add(self, **fields: Any) -> Entry:
        """Write a request down and return its entry, so that the status can follow."""
        self.last += 1
        entry = Entry(n=self.last, **fields)
        self.entries.append(entry)
        return entry

    def since(self, n: int) -> list[dict[str, Any]]:
        """Return the entries after number `n`."""
        return [asdict(entry) for entry in self.entries if entry.n > n]

    def clear(self) -> None:
        """Forget every entry."""
        self.entries.clear()
