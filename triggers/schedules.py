"""The timers: each starts the one instance of something Rekey does on its own, unless it is still at it."""

import logging

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import names
from rekey.settings import settings
from rekey.starting import DurableClient, start_alone

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)
_schedules = settings().nightly.schedules


@blueprint.timer_trigger(arg_name="timer", schedule=_schedules[names.ROTATE_DUE])
@blueprint.durable_client_input(client_name="client")
async def rotate_due_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Look for what is due by policy, even if no event ever came."""
    await _start(client, names.ROTATE_DUE, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=_schedules[names.RECONCILE])
@blueprint.durable_client_input(client_name="client")
async def reconcile_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Look for what was left behind, stuck or changed by others."""
    await _start(client, names.RECONCILE, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=_schedules[names.PURGE_HISTORY])
@blueprint.durable_client_input(client_name="client")
async def purge_history_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Forget the history of instances that ended long ago."""
    await _start(client, names.PURGE_HISTORY, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=_schedules[names.DELIVER_NOTICES])
@blueprint.durable_client_input(client_name="client")
async def deliver_notices_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Send what waits in the outbox."""
    await _start(client, names.DELIVER_NOTICES, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=_schedules[names.WATCH_VAULT_ACCESS])
@blueprint.durable_client_input(client_name="client")
async def watch_vault_access_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Read what is new in the vaults' audit logs, if settings say where those are."""
    if settings().audit.storage:
        await _start(client, names.WATCH_VAULT_ACCESS, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=_schedules[names.AUDIT_SERVICE_CONNECTIONS])
@blueprint.durable_client_input(client_name="client")
async def audit_service_connections_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Look how the service connections sign in to Azure, if settings name a project that may have some."""
    if any(scope.organizations for scope in settings().scopes):
        await _start(client, names.AUDIT_SERVICE_CONNECTIONS, timer)


async def _start(client: DurableClient, orchestrator: str, timer: func.TimerRequest) -> None:
    started = await start_alone(client, orchestrator)
    line = {"outcome": "started" if started else "running-already", "instance": orchestrator, "late": timer.past_due}
    _log.info("%s", msgspec.json.encode(line).decode())
