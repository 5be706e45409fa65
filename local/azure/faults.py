"""Knows which faults are armed, which requests and connections they strike, and how often that happened."""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from local.azure.fault_request import FaultRequest


@dataclass
class Fault:
    """One armed fault; `released` opens for every request that it holds."""

    id: str
    request: FaultRequest
    seen: int = 0
    hits: int = 0
    held: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.request.seed)  # noqa: S311 - to be repeated, not to be unpredictable

    def strikes(self, service: str, method: str, path: str) -> bool:
        """Tell whether this request is struck, and count it."""
        wanted = self.request
        if wanted.service != service or wanted.refuse:
            return False
        if wanted.stale is not None and method.upper() != "GET":
            return False
        if (wanted.method or method).upper() != method.upper():
            return False
        if wanted.path is not None and wanted.path not in path and not re.search(wanted.path, path):
            return False
        return self._counted()

    def refuses(self, service: str) -> bool:
        """Tell whether this connection is refused, and count it."""
        return self.request.refuse and self.request.service == service and self._counted()

    def _counted(self) -> bool:
        wanted = self.request
        if wanted.count is not None and self.hits >= wanted.count:
            return False
        self.seen += 1
        if self.seen <= wanted.skip:
            return False
        if wanted.chance is not None and self.chance.random() >= wanted.chance:
            return False
        self.hits += 1
        return True

    def wait(self) -> float:
        """Return for how many seconds to delay one request."""
        return (self.request.delay or 0.0) + self.chance.uniform(0.0, self.request.jitter)

    def told(self) -> dict[str, Any]:
        """Return the fault as `GET /_sim/faults` shows it."""
        told: dict[str, Any] = msgspec.to_builtins(self.request)
        return {"id": self.id, "hits": self.hits, "held": self.held, "released": self.released.is_set(), **told}


@dataclass
class Faults:
    """The armed faults in the order they were added; the first one that strikes wins."""

    armed: list[Fault] = field(default_factory=list)
    made: int = 0
    on_arming: list[Callable[[Fault], None]] = field(default_factory=list)
    """Called with each fault that is armed."""

    def add(self, request: FaultRequest) -> Fault:
        """Arm a fault."""
        request.check()
        self.made += 1
        fault = Fault(str(self.made), request)
        self.armed.append(fault)
        for hears in self.on_arming:
            hears(fault)
        return fault

    def strike(self, service: str, method: str, path: str) -> Fault | None:
        """Return the fault that this request runs into."""
        return next((fault for fault in self.armed if fault.strikes(service, method, path)), None)

    def refuse(self, service: str) -> bool:
        """Tell whether this new connection to a service is refused."""
        return any(fault.refuses(service) for fault in self.armed)

    @property
    def refusing(self) -> bool:
        """Whether any service's connections may be refused, so that one has to look whom a new one is for."""
        return any(fault.request.refuse for fault in self.armed)

    def release(self, fault_id: str) -> Fault | None:
        """Let go what a fault holds now, and disarm it; None when there is no such fault."""
        for fault in self.armed:
            if fault.id == fault_id:
                fault.released.set()
                return fault
        return None

    def clear(self) -> None:
        """Disarm every fault and let go what they hold."""
        for fault in self.armed:
            fault.released.set()
        self.armed.clear()
