"""Step report_connections: what was read becomes a report in place of the last one, and what is to be told of it."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.connections import Reported, Reporting

if TYPE_CHECKING:
    from rekey.connections.judging import ManagedBy
    from rekey.connections.report import Report
    from rekey.connections.reports import Reports


@blueprint.activity_trigger(input_name="payload", activity=names.REPORT_CONNECTIONS)
async def report_connections_step(payload: dict) -> dict:
    """Write the report."""
    return await run_unrecorded(names.REPORT_CONNECTIONS, Reporting, write, payload)


async def write(desk: Desk, run: Reporting) -> Reported:
    """Return the report in numbers and the mail; a repeated step finds its own report, and compares it no more."""
    from rekey.connections.reports import Reports
    from rekey.connections.telling import counts, notice

    reports = Reports(desk.clients.container())
    last = await reports.last()
    found = last if last and last.run_id == run.run_id else await _made(desk, run, reports, last)
    await reports.forget_others(run.run_id)
    return Reported(counts=counts(found), notice=notice(found))


async def _made(desk: Desk, run: Reporting, reports: "Reports", last: "Report | None") -> "Report":
    from rekey.connections.report import Known, report

    read = await reports.read(run.run_id, run.projects)
    found = report(run, read, Known(managed=await _managed(desk), allowed=_allowed(desk), last=last))
    await reports.keep(found)
    return found


async def _managed(desk: Desk) -> "dict[str, ManagedBy]":
    """Return the managed secret by the connection that its policy names; a vault that can't be listed has none."""
    from rekey.connections.judging import ManagedBy
    from rekey.connections.managed import managed

    found = await managed(desk.clients, desk.settings.vaults())
    return {
        key: ManagedBy(vault=items[-1].vault, secret=items[-1].secret, expires=items[-1].expires)
        for key, items in found.by_consumer.items()
    }


def _allowed(desk: Desk) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for scope in desk.settings.scopes:
        for organization, projects in scope.organizations.items():
            name = organization.lower()
            found[name] = found.get(name, frozenset()) | {project.lower() for project in projects}
    return found
