"""The audit of service connections: every allowed project is read, then all of it is judged, reported and told.

A project that can't be read never stops the others. Where Azure DevOps wants a pause, it gets it on a durable timer.
"""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.forwarding import alone_forwarded
from orchestrators.telling import Teller
from rekey import names
from rekey.model import decode
from rekey.model.connections import Audit, OfProject, ProjectName, ProjectRead, Projects, Reported, Reporting, Unseen

blueprint = df.Blueprint()

PATIENCE = timedelta(minutes=10)
"""How long one project may hold up the others; what it leaves is for the next night."""

LONGEST = timedelta(hours=4)
"""Of one audit: what it has not come to is for the next."""

MOST_TURNS = 500
"""Of one audit, beyond one for each project: the history of the instance has to stay small."""

LONGEST_PAUSE = 600.0
"""Seconds that a service may ask for: its limits are of five minutes."""


class AuditFailed(Exception):  # noqa: N818 - it says how the audit ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.AUDIT_SERVICE_CONNECTIONS)
def audit_service_connections(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Look at every project and tell it: `told`, or `silent` if nothing is wrong and nothing changed; `forwarded`."""
    del payload
    forwarded = yield from alone_forwarded(context, names.AUDIT_SERVICE_CONNECTIONS)
    if forwarded:
        return forwarded
    return (yield from Auditing(context).run())


class Auditing:
    """One audit."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        self.ctx = ctx
        self.audit = Audit(run_id=ctx.new_uuid(), started=now(ctx))
        self.ends = self.audit.started + LONGEST
        self.unseen: list[Unseen] = []
        self.read = 0
        self.projects = 0

    def run(self) -> Steps[Any]:
        """Read all projects, then report."""
        try:
            self.show(names.LIST_PROJECTS)
            found = decode((yield from attempted(self.ctx, names.LIST_PROJECTS, self.audit, PATIENCE)), Projects)
            self.projects = len(found.projects)
            yield from self.read_all(found.projects)
            reported = yield from self.report(found.projects)
        except StepFailed as failure:
            self.show(failure.step, "failed")
            raise AuditFailed(str(failure)) from None
        if reported.notice:
            yield from Teller(self.ctx).digest(reported.notice)
        self.show(names.REPORT_CONNECTIONS, "done")
        result = "told" if reported.notice else "silent"
        return {"result": result, "run_id": self.audit.run_id, "counts": reported.counts, "unseen": len(self.unseen)}

    def read_all(self, projects: tuple[ProjectName, ...]) -> Steps[None]:
        """Read each project, those with more again in turns, so that a large one doesn't keep the others waiting."""
        waiting, turns = list(projects), MOST_TURNS + len(projects)
        while waiting and turns > 0 and now(self.ctx) < self.ends:
            self.show(names.AUDIT_PROJECT)
            project, turns = waiting.pop(0), turns - 1
            if (yield from self.read_on(project)):
                waiting.append(project)
        for project in waiting:
            self.miss(project, StepFailed(names.AUDIT_PROJECT, "no-time", "the audit took too long to come to its end"))

    def read_on(self, project: ProjectName) -> Steps[bool]:
        """Read a part of one project, and wait if the service wants that; tell whether there is more."""
        asked = OfProject(run_id=self.audit.run_id, started=self.audit.started, project=project)
        try:
            read = decode((yield from attempted(self.ctx, names.AUDIT_PROJECT, asked, PATIENCE)), ProjectRead)
        except StepFailed as failure:
            self.miss(project, failure)
            return False
        if read.pause > 0:
            pause = timedelta(seconds=min(read.pause, LONGEST_PAUSE))
            self.show(names.AUDIT_PROJECT, "pausing")
            yield self.ctx.create_timer(now(self.ctx) + pause)
        self.read += 0 if read.more else 1
        return read.more

    def report(self, projects: tuple[ProjectName, ...]) -> Steps[Reported]:
        """Have the report written."""
        self.show(names.REPORT_CONNECTIONS)
        asked = Reporting(
            run_id=self.audit.run_id, started=self.audit.started, projects=projects, unseen=tuple(self.unseen)
        )
        return decode((yield from attempted(self.ctx, names.REPORT_CONNECTIONS, asked, PATIENCE)), Reported)

    def miss(self, project: ProjectName, failure: StepFailed) -> None:
        """Keep which project could not be read to its end, and why."""
        self.unseen.append(
            Unseen(
                organization=project.organization,
                project=project.project,
                code=failure.code,
                message=failure.message,
                what_to_do=failure.what_to_do,
            )
        )

    def show(self, step: str, state: str = "running") -> None:
        """Say where the audit is."""
        self.ctx.set_custom_status(
            {
                "run_id": self.audit.run_id,
                "step": step,
                "state": state,
                "since": now(self.ctx).isoformat(),
                "projects": self.projects,
                "read": self.read,
                "unseen": len(self.unseen),
            }
        )
