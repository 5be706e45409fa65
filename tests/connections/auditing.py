"""Knows how a company's connections are seeded, and runs an audit as its orchestrator does, without waiting."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from activities.audit_project import audit
from activities.list_projects import find
from activities.report_connections import write
from rekey.connections.report import Report, Row
from rekey.connections.reports import Reports
from rekey.model.connections import Audit, OfProject, ProjectRead, Reported, Reporting, Unseen
from tests.core.company import Company

READER = ["administer", "view-builds", "library-reader"]


@dataclass
class Audited:
    """A company and its audits."""

    company: Company

    async def seed(self, rights: list[str] | None = None, **project: Any) -> None:
        """Give the company's project connections and the like, and the app's identity rights there."""
        scenario = self.company.scenario
        member = {"projects": {scenario.project: READER if rights is None else rights}}
        body = {"members": {"rekey": member}, "projects": {scenario.project: project}}
        await self.company.azure.seed({"organizations": {scenario.organization: body}})

    async def connections(self, **endpoints: Any) -> None:
        """Give the company's project connections; they are of its application unless they say otherwise."""
        named = {
            name: body
            if {"identity", "client_id", "application"} & body.keys()
            or body.get("scheme") in {"ManagedServiceIdentity", "PublishProfile"}
            else {"application": self.company.scenario.application, **body}
            for name, body in endpoints.items()
        }
        await self.seed(endpoints=named)

    def begin(self) -> Audit:
        """Return a run that starts now, by the simulated clock."""
        return Audit(run_id=str(uuid4()), started=self.company.azure.cloud.clock.now())

    async def turns(self, run: Audit) -> list[ProjectRead]:
        """Read the company's one project to its end, and return what each turn said."""
        (project,) = (await find(self.company.desk, run)).projects
        asked = OfProject(run_id=run.run_id, started=run.started, project=project)
        said = [await audit(self.company.desk, asked)]
        while said[-1].more:
            said.append(await audit(self.company.desk, asked))
        return said

    async def reported(self, run: Audit, *unseen: Unseen) -> Reported:
        """Make the report of a run."""
        projects = (await find(self.company.desk, run)).projects
        asked = Reporting(run_id=run.run_id, started=run.started, projects=projects, unseen=unseen)
        return await write(self.company.desk, asked)

    async def night(self) -> Reported:
        """Run a whole audit."""
        run = self.begin()
        await self.turns(run)
        return await self.reported(run)

    async def report(self) -> Report:
        """Return the last report."""
        found = await Reports(self.company.clients.container()).last()
        assert found
        return found

    async def row(self, name: str) -> Row:
        """Return what the last report has of a connection."""
        (found,) = [row for row in (await self.report()).rows if row.connection == name]
        return found

    async def findings(self) -> dict[str, set[str]]:
        """Return the codes of the last report's findings, by what they are about."""
        found: dict[str, set[str]] = {}
        for said in (await self.report()).findings:
            found.setdefault(said.subject, set()).add(said.code)
        return found
