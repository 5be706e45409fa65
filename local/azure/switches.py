"""Knows the delays and limits of the simulated Azure that a test may change, and their defaults."""

import random
from enum import StrEnum
from typing import Any

import msgspec


class Mode(StrEnum):
    """How a password behaves while it propagates: refused everywhere, or accepted by some replicas only."""

    REFUSED = "refused"
    SUCCESSES_BEFORE_FAILURE = "successes_before_failure"


class EntraPropagation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a new password is refused at the token endpoint (seconds), and how."""

    seconds: float = 2.0
    mode: Mode = Mode.REFUSED
    seed: int = 1


class GraphPropagation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far Graph reads lag behind writes, and how long after a write another one conflicts (seconds)."""

    seconds: float = 0.5
    conflict_seconds: float = 1.0


class Switches:
    """The current settings; `limit_scale` multiplies a service's documented limits (0.1: a tenth of them)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Go back to the defaults."""
        self.entra = EntraPropagation()
        self.graph = GraphPropagation()
        self.limit_scale: dict[str, float] = {}
        self.replicas = random.Random(self.entra.seed)  # noqa: S311 - a repeatable choice of replica

    def set(self, document: dict[str, Any]) -> dict[str, Any]:
        """Take `{"service", "propagation": {...}}` or `{"service", "limits": {"scale": x}}`; else ValueError."""
        match document:
            case {"service": "entra", "propagation": dict() as wanted}:
                self.entra = msgspec.convert(wanted, EntraPropagation)
                self.replicas = random.Random(self.entra.seed)  # noqa: S311 - a repeatable choice of replica
            case {"service": "graph", "propagation": dict() as wanted}:
                self.graph = msgspec.convert(wanted, GraphPropagation)
            case {"service": str() as service, "limits": {"scale": int() | float() as scale}} if scale > 0:
                self.limit_scale[service] = float(scale)
            case _:
                raise ValueError(f"switch: got {document}, expected propagation of entra or graph, or limits.scale")
        return self.told()

    def told(self) -> dict[str, Any]:
        """Return the current settings."""
        entra, graph = msgspec.to_builtins(self.entra), msgspec.to_builtins(self.graph)
        return {"propagation": {"entra": entra, "graph": graph}, "limit_scale": self.limit_scale}

    def scaled(self, service: str, limit: int) -> int:
        """Return a documented limit as it applies now, at least 1."""
        return max(1, round(limit * self.limit_scale.get(service, 1.0)))
