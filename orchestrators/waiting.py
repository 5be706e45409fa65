"""How an orchestrator waits for people: an event only says that there is something to read on the record."""

from datetime import datetime

from durabletask.task import OrchestrationContext, when_any

from orchestrators.attempts import Steps
from rekey import names


def event_or(ctx: OrchestrationContext, until: datetime) -> Steps[bool]:
    """Wait until then, or for the event which says that there is something on the record: then it is True."""
    event = ctx.wait_for_external_event(names.DECISION_EVENT)
    first = yield when_any([event, ctx.create_timer(until)])
    # The engine gives an event to the oldest wait: one that nobody waits for any more would swallow the next.
    event.cancel()
    return first is event
