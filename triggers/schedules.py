"""The timers of every app, and how a timer starts the one instance of something, unless it is still at it."""

import logging

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import names
from rekey.settings import settings
from rekey.starting import DurableClient, start_alone

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


def at(orchestrator: str) -> str:
    """Return when settings want that to start: {second minute hour day month day-of-week}, UTC."""
    return settings().nightly.schedules[orchestrator]


async def start(client: DurableClient, orchestrator: str, timer: func.TimerRequest) -> None:
    """Start the orchestrator's one instance."""
    started = await start_alone(client, orchestrator)
    line = {"outcome": "started" if started else "running-already", "instance": orchestrator, "late": timer.past_due}
    _log.info("%s", msgspec.json.encode(line).decode())


@blueprint.timer_trigger(arg_name="timer", schedule=at(names.PURGE_HISTORY))
@blueprint.durable_client_input(client_name="client")
async def purge_history_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Forget the history of instances that ended long ago."""
    await start(client, names.PURGE_HISTORY, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=at(names.DELIVER_NOTICES))
@blueprint.durable_client_input(client_name="client")
async def deliver_notices_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Send what waits in the outbox."""
    await start(client, names.DELIVER_NOTICES, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=at(names.RECONCILE))
@blueprint.durable_client_input(client_name="client")
async def reconcile_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Look for what was left behind, stuck or changed by others."""
    await start(client, names.RECONCILE, timer)
