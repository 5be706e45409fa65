"""Knows the delays and limits of the simulated Azure that a test may change, and their defaults."""

import random
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta


class Mode(StrEnum):
    """How a password behaves while it propagates: refused everywhere, or accepted by some replicas only."""

    REFUSED = "refused"
    SUCCESSES_BEFORE_FAILURE = "successes_before_failure"


class EntraPropagation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a new password is refused at the token endpoint (seconds), and how.

    `federated_seconds` is how long a new federated credential is, if not as long as a password.
    """

    seconds: float = 2.0
    federated_seconds: float | None = None
    mode: Mode = Mode.REFUSED
    seed: int = 1


class GraphPropagation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far Graph reads lag behind writes, and how long after a write another one conflicts (seconds).

    `principal_seconds` is how long a new managed identity's service principal isn't in the directory yet.
    """

    seconds: float = 0.5
    conflict_seconds: float = 1.0
    principal_seconds: float = 2.0


class StoragePropagation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a storage account takes a replaced key, and refuses the one that replaced it (seconds)."""

    seconds: float = 1.0


class ArmPropagation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long after it was made a role assignment begins to count (seconds)."""

    seconds: float = 0.0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a service's documented limits are changed: counts are multiplied, windows get another length (seconds)."""

    scale: Annotated[float, Meta(gt=0)] = 1.0
    seconds: Annotated[float, Meta(gt=0)] | None = None


class Switches:
    """The current settings; `limits` has the services whose limits aren't the documented ones."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Go back to the defaults."""
        self.entra = EntraPropagation()
        self.graph = GraphPropagation()
        self.storage_account = StoragePropagation()
        self.arm = ArmPropagation()
        self.limits: dict[str, Limits] = {}
        self.replicas = random.Random(self.entra.seed)  # noqa: S311 - a repeatable choice of replica

    def set(self, document: dict[str, Any]) -> dict[str, Any]:
        """Take `{service, propagation: {...}}` or `{service, limits: {scale, seconds}}`; else ValueError."""
        match document:
            case {"service": "entra", "propagation": dict() as wanted}:
                self.entra = msgspec.convert(wanted, EntraPropagation)
                self.replicas = random.Random(self.entra.seed)  # noqa: S311 - a repeatable choice of replica
            case {"service": "graph", "propagation": dict() as wanted}:
                self.graph = msgspec.convert(wanted, GraphPropagation)
            case {"service": "storage-account", "propagation": dict() as wanted}:
                self.storage_account = msgspec.convert(wanted, StoragePropagation)
            case {"service": "arm", "propagation": dict() as wanted}:
                self.arm = msgspec.convert(wanted, ArmPropagation)
            case {"service": str() as service, "limits": dict() as wanted}:
                self.limits[service] = msgspec.convert(wanted, Limits)
            case _:
                raise ValueError(
                    f"switch: got {document}, expected propagation of arm, entra, graph or storage-account, or limits"
                )
        return self.told()

    def told(self) -> dict[str, Any]:
        """Return the current settings."""
        delays = {"arm": self.arm, "entra": self.entra, "graph": self.graph, "storage-account": self.storage_account}
        return {"propagation": msgspec.to_builtins(delays), "limits": msgspec.to_builtins(self.limits)}

    def entra_knows(self, age: timedelta) -> bool:
        """Tell whether the replica of Entra that answers has heard of a password that is so old."""
        return self._known(age, self.entra.seconds)

    def entra_knows_federated(self, age: timedelta) -> bool:
        """Tell whether the replica of Entra that answers has heard of a federated credential that is so old."""
        other = self.entra.federated_seconds
        return self._known(age, self.entra.seconds if other is None else other)

    def _known(self, age: timedelta, seconds: float) -> bool:
        if age.total_seconds() >= seconds:
            return True
        return self.entra.mode is Mode.SUCCESSES_BEFORE_FAILURE and self.replicas.random() < 0.5

    def limit(self, service: str, count: int, seconds: float) -> tuple[int, float]:
        """Return a documented limit as it applies now: how many, at least 1, in how many seconds."""
        changed = self.limits.get(service, _DOCUMENTED)
        return max(1, round(count * changed.scale)), changed.seconds or seconds


_DOCUMENTED = Limits()
