"""The timers of an app that rotates: what is due, who reads, how connections sign in."""

import azure.durable_functions as df
import azure.functions as func

from rekey import names
from rekey.settings import settings
from triggers.schedules import at, start

blueprint = df.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=at(names.ROTATE_DUE))
@blueprint.durable_client_input(client_name="client")
async def rotate_due_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Look for what is due by policy, even if no event ever came."""
    await start(client, names.ROTATE_DUE, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=at(names.WATCH_VAULT_ACCESS))
@blueprint.durable_client_input(client_name="client")
async def watch_vault_access_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Read what is new in the vaults' audit logs, if settings say where those are."""
    if settings().audit.storage:
        await start(client, names.WATCH_VAULT_ACCESS, timer)


@blueprint.timer_trigger(arg_name="timer", schedule=at(names.AUDIT_SERVICE_CONNECTIONS))
@blueprint.durable_client_input(client_name="client")
async def audit_service_connections_timer(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    """Look how the service connections sign in to Azure, if settings name a project that may have some."""
    if any(scope.organizations for scope in settings().scopes):
        await start(client, names.AUDIT_SERVICE_CONNECTIONS, timer)
