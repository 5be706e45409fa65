"""The only clock an orchestrator may read: the same on every replay."""

from datetime import UTC, datetime

from durabletask.task import OrchestrationContext


def now(ctx: OrchestrationContext) -> datetime:
    """Return the orchestration's time, aware (the SDK's is naive UTC)."""
    return ctx.current_utc_datetime.replace(tzinfo=UTC)
