"""What can go wrong with any request of a rotation, and weather made of it: each request is struck by chance."""

import random
from typing import Any

from rekey import names
from tests.faults.rotating import Rotating
from tests.faults.walking import REQUESTS, TENANT, Request

type Strike = dict[str, Any]

STRIKES: dict[str, Strike] = {
    "408": {"status": 408},
    "429": {"status": 429},
    "429, seconds": {"status": 429, "retry_after": 1},
    "429, date": {"status": 429, "retry_after": 2, "retry_after_form": "date"},
    "500": {"status": 500},
    "500, done": {"status": 500, "when": "after"},
    "503": {"status": 503},
    "503, done": {"status": 503, "when": "after"},
    "reset": {"reset": "answer"},
    "reset, done": {"reset": "answer", "when": "after"},
    "reset in the body": {"reset": "body", "when": "after"},
    "empty": {"malformed": "empty"},
    "empty, done": {"malformed": "empty", "when": "after"},
    "not JSON": {"malformed": "text"},
    "not JSON, done": {"malformed": "text", "when": "after"},
    "truncated": {"malformed": "truncated", "when": "after"},
    "other encoding": {"malformed": "utf-16", "when": "after"},
    "not compressed": {"malformed": "gzip", "when": "after"},
    "slow": {"delay": 0.1, "jitter": 1.0},
}
"""Kinds of faults by name. Each is a moment's trouble: the same request, sent again, is answered."""

SIGN_IN_PAGE: Strike = {"malformed": "html"}

TIMEOUTS: dict[str, Strike] = {"timeout": {"timeout": True}, "timeout, done": {"timeout": True, "when": "after"}}
"""Those after which a client waits for its whole read timeout."""

PLACES: dict[str, Strike] = {
    "graph": {},
    "keyvault": {},
    "azuredevops": {},
    "email": {},
    "entra": {"path": TENANT},
    "managed-identity": {},
    "storage": {"path": f"/{names.CONTAINER}"},
}
"""Services, with the paths that the app alone asks for."""


STORAGE = {
    "make the container": Request("storage", "PUT", f"/{names.CONTAINER}$"),
    "open the record": Request("storage", "PUT", f"/{names.RECORDS}"),
    "read the record": Request("storage", "GET", f"/{names.RECORDS}"),
    "change the record": Request("storage", "PUT", f"/{names.RECORDS}", 1),
    "commit the credential": Request("storage", "PUT", f"/{names.RECORDS}", 6),
    "make the lease": Request("storage", "PUT", "/leases/"),
    "take the lease": Request("storage", "PUT", "/leases/", 1),
    "release the lease": Request("storage", "PUT", "/leases/", 2),
    "read how many mails were sent": Request("storage", "GET", "/mail/"),
    "count a mail": Request("storage", "PUT", "/mail/"),
}
"""What a rotation asks of storage, by what it is for."""

TOKENS = {f"get token {n + 1}": Request("managed-identity", "GET", "/msi/token", n) for n in range(4)}


GROUPS = 5
"""Requests are struck in so many rotations, so that no step meets more faults than it has patience for."""


def strike_each(rotating: Rotating, strike: Strike, group: int) -> list[str]:
    """Have every request of a group struck once in this way; returns the faults' ids."""
    every = list((REQUESTS | STORAGE | TOKENS).values())[group::GROUPS]
    return [
        rotating.control.fault(r.service, method=r.method, path=r.path, skip=r.skip, **strike)
        for r in every
        if not (strike == SIGN_IN_PAGE and r.service == "azuredevops")  # there it says for good: not signed in
    ]


def strike_one(rotating: Rotating, chance: random.Random) -> None:
    """Have some request of a rotation struck for certain, for in few requests chance may strike none."""
    request, strike = chance.choice(list(REQUESTS.values())), chance.choice(list(STRIKES.values()))
    rotating.control.fault(request.service, method=request.method, path=request.path, skip=request.skip, **strike)


def worsen(rotating: Rotating, share: float, chance: random.Random, *, but: str = "") -> list[str]:
    """Have that share of all requests but those to one service struck, by kinds in equal parts; returns faults' ids."""
    each = share / len(STRIKES)
    return [
        rotating.control.fault(service, **where, **strike, count=None, chance=each, seed=chance.randrange(10**6))
        for service, where in PLACES.items()
        if service != but
        for strike in STRIKES.values()
    ]


def struck(rotating: Rotating) -> dict[str, int]:
    """Return how often each kind of fault has struck, by service and what it does."""
    told = [fault for fault in rotating.control.faults() if fault["hits"]]
    return {f"{fault['service']} {_kind(fault)}": fault["hits"] for fault in told}


def _kind(fault: dict[str, Any]) -> str:
    kinds = STRIKES | TIMEOUTS
    return next(name for name, strike in kinds.items() if all(fault[f] == v for f, v in _whole(strike).items()))


def _whole(strike: Strike) -> Strike:
    return {"status": None, "retry_after": None, "when": "before", "timeout": False, "delay": None} | strike
