"""Knows which requests are to fail, wait or be withheld, and counts how often that happened."""

import asyncio
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec


class When(StrEnum):
    """Whether a fault strikes before the service did its work, or after it, when only the answer is lost."""

    BEFORE = "before"
    AFTER = "after"


class FaultRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `POST /_sim/faults` takes; one of `status`, `hold` and `delay` says what happens."""

    service: str
    method: str | None = None
    path: str | None = None
    count: int | None = 1
    skip: int = 0
    when: When = When.BEFORE
    status: int | None = None
    retry_after: int | None = None
    hold: bool = False
    delay: float | None = None

    def check(self) -> None:
        """Raise ValueError naming the field that doesn't hold together."""
        chosen = [self.status is not None, self.hold, self.delay is not None]
        if sum(chosen) != 1:
            raise ValueError("fault: expected exactly one of status, hold and delay")
        if self.status is not None and self.status != 429 and not 500 <= self.status <= 599:
            raise ValueError(f"status: got {self.status}, expected 429 or 500 to 599")
        try:
            re.compile(self.path or "")
        except re.error as error:
            raise ValueError(f"path: {self.path!r} is not a regular expression: {error}") from None


@dataclass
class Fault:
    """One armed fault; `released` opens for every request that it holds."""

    id: str
    request: FaultRequest
    seen: int = 0
    hits: int = 0
    held: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, service: str, method: str, path: str) -> bool:
        """Tell whether this request is struck, and count it."""
        wanted = self.request
        if wanted.service != service or (wanted.method or method).upper() != method.upper():
            return False
        if wanted.path is not None and wanted.path not in path and not re.search(wanted.path, path):
            return False
        if wanted.count is not None and self.hits >= wanted.count:
            return False
        self.seen += 1
        if self.seen <= wanted.skip:
            return False
        self.hits += 1
        return True

    def told(self) -> dict[str, Any]:
        """Return the fault as `GET /_sim/faults` shows it."""
        told: dict[str, Any] = msgspec.to_builtins(self.request)
        return {"id": self.id, "hits": self.hits, "held": self.held, "released": self.released.is_set(), **told}


@dataclass
class Faults:
    """The armed faults in the order they were added; the first one that strikes wins."""

    armed: list[Fault] = field(default_factory=list)
    made: int = 0

    def add(self, request: FaultRequest) -> Fault:
        """Arm a fault."""
        request.check()
        self.made += 1
        fault = Fault(str(self.made), request)
        self.armed.append(fault)
        return fault

    def strike(self, service: str, method: str, path: str) -> Fault | None:
        """Return the fault that this request runs into."""
        return next((fault for fault in self.armed if fault.strikes(service, method, path)), None)

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
