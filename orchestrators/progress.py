"""What the portal shows of what is running: one small object, rewritten at every step."""

from datetime import datetime
from typing import Any

from durabletask.task import OrchestrationContext

from orchestrators.clock import now


class Progress:
    """The custom status of one rotation: step, state, since, next wake-up, what it waits for, consumer counts."""

    def __init__(self, ctx: OrchestrationContext, rotation_id: str) -> None:
        self._ctx = ctx
        self._rotation_id = rotation_id
        self.consumers = {"total": 0, "confirmed": 0, "failed": 0}

    def at(self, step: str, state: str = "running", *, until: datetime | None = None, waiting_for: str = "") -> None:
        """Say which step the rotation is at. Never an address, a value or a URL: everybody may read it."""
        where = place(self._ctx, step, state, until=until, waiting_for=waiting_for)
        self._ctx.set_custom_status({"rotation_id": self._rotation_id, **where, "consumers": self.consumers})


def place(
    ctx: OrchestrationContext,
    step: str,
    state: str = "running",
    *,
    until: datetime | None = None,
    waiting_for: str = "",
) -> dict[str, Any]:
    """Return what every custom status says: the step, its state, since when, what it waits for and until when."""
    return {
        "step": step,
        "state": state,
        "since": now(ctx).isoformat(),
        "next": until.isoformat() if until else None,
        "waiting_for": waiting_for,
    }
