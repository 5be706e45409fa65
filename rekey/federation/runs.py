"""Says what has run through a connection, by its execution history: in every project that has it."""

from collections.abc import Iterable
from datetime import datetime

from rekey.azure_devops_executions import Execution
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.federation.document import projects
from rekey.federation.organization import Organization, place
from rekey.federation.quoting import quoted
from rekey.model.federation import Federation, Runs

MOST_NAMES = 20
"""Pipelines that are named."""


async def look(clients: Clients, federation: Federation) -> Runs:
    """Return what ran through the connection since the new way was proven: through the old one if there is one.

    What began before and still runs counts as running. PermanentError if a history can't be read: not knowing is
    not the same as nothing.
    """
    found = await executions(clients, federation)
    since = federation.since or federation.started
    return summed(found, since)


async def executions(clients: Clients, federation: Federation) -> tuple[Execution, ...]:
    """Return the uses of the walk's connection that its histories have, newest first in each project.

    Through one that was deleted nothing runs.
    """
    organization, endpoint = Organization(clients, federation.organization), federation.old or federation.new
    if endpoint is None:
        raise PermanentError("no-connection", "this walk has no connection yet", "Look again when it has one.")
    here, since = place(federation), federation.since or federation.started
    there = await organization.unless_gone(here, endpoint.id, quoted(endpoint.name))
    if there is None:
        return ()
    found = [await organization.executions.of(one.id, endpoint.id, since) for one in projects(there[0])]
    return tuple(execution for some in found for execution in some)


def summed(found: Iterable[Execution], since: datetime) -> Runs:
    """Return in numbers what began since then, or hasn't ended."""
    counted = [one for one in found if one.ended is None or (one.began and one.began >= since)]
    over = [one for one in counted if one.ended]
    moments = [moment for one in counted if (moment := one.ended or one.began)]
    return Runs(
        finished=len(over),
        failed=sum(one.failed for one in over),
        running=len(counted) - len(over),
        last=max(moments, default=None),
        by=tuple(dict.fromkeys(quoted(one.name) for one in counted))[:MOST_NAMES],
    )
