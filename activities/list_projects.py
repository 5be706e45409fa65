"""Step list_projects: the Azure DevOps projects whose service connections settings allow to look at."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.connections import Audit, ProjectName, Projects


@blueprint.activity_trigger(input_name="payload", activity=names.LIST_PROJECTS)
async def list_projects_step(payload: dict) -> dict:
    """Say where to look."""
    return await run_unrecorded(names.LIST_PROJECTS, Audit, find, payload)


async def find(desk: Desk, _audit: Audit) -> Projects:
    """Return each allowed project once, whichever vaults may name it."""
    allowed = [
        ProjectName(organization=organization.lower(), project=project)
        for scope in desk.settings.scopes
        for organization, projects in scope.organizations.items()
        for project in projects
    ]
    return Projects(projects=tuple({(p.organization, p.project.lower()): p for p in allowed}.values()))
