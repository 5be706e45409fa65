"""Step audit_project: one turn of reading a project's service connections, at most as much as one activity may."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.connections import OfProject, ProjectRead

if TYPE_CHECKING:
    from rekey.connections.found import Principal

KEPT = 900.0
"""Seconds: one application may be behind many connections of a run."""


@blueprint.activity_trigger(input_name="payload", activity=names.AUDIT_PROJECT)
async def audit_project_step(payload: dict) -> dict:
    """Read on."""
    return await run_unrecorded(names.AUDIT_PROJECT, OfProject, audit, payload)


async def audit(desk: Desk, asked: OfProject) -> ProjectRead:
    """Return how far it got; what was read is in a blob."""
    from rekey.azure_devops_connections import GRANT, Connections
    from rekey.connections import principals
    from rekey.connections.turn import Turn

    clients = desk.clients
    origin = desk.settings.cloud.azure_devops
    service = Connections(clients.azure_devops(), origin, asked.project.organization, GRANT)

    async def ask(client_id: str) -> "tuple[str, Principal]":
        return asked.run_id, await principals.look(clients, client_id)

    async def look(client_id: str) -> "Principal":
        """Return who has that client id as this run has seen it: what an earlier one saw may be repaired by now."""
        name = f"principal {client_id}"
        run_id, found = await clients.remember(name, KEPT, lambda: ask(client_id))
        if run_id != asked.run_id:
            _, found = await clients.remember(name, KEPT, lambda: ask(client_id), anew=True)
        return found

    return await Turn(service, clients.container(), look, desk.settings.tenant_id).run(asked)
