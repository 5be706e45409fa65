"""Knows what the simulated Azure DevOps keeps of what stands between a pipeline and a connection."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Grant:
    """A permission: who gave it when, as an identity reference."""

    by: dict[str, Any]
    at: datetime

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {"authorized": True, "authorizedBy": self.by, "authorizedOn": self.at.isoformat()}


@dataclass
class Permitted:
    """Which pipelines of a project may use a connection without being asked: all of them, or some by id."""

    everyone: Grant | None = None
    pipelines: dict[int, Grant] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A check on a connection: `document` is its configuration, settings included."""

    id: int
    endpoint: str
    document: dict[str, Any]

    def shown(self, *, settings: bool) -> dict[str, Any]:
        """Return it as the API shows it: its settings only to whoever asks for them."""
        shown = deepcopy(self.document)
        return shown if settings else {name: value for name, value in shown.items() if name != "settings"}
