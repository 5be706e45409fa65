"""Knows how the work of a run or a release ends: it signs in at Entra with what connections and groups hold now."""

from local.azure.azuredevops_pipelines_state import Use, Work
from local.azure.azuredevops_proxy import token
from local.azure.azuredevops_state import Organization, Project
from local.azure.cloud import Cloud


async def result(cloud: Cloud, organization: Organization, project: Project, work: Work, failed: str) -> str:
    """Return how a job ends that begins now: as it was seeded, or `failed` if something it uses is refused."""
    for use in work.uses:
        parameters = _credential(cloud, organization, project, use)
        if not parameters or (await token(cloud, parameters))[0] != 200:
            return failed
    return work.outcome


def _credential(cloud: Cloud, organization: Organization, project: Project, use: Use) -> dict[str, str]:
    """Return sign-in parameters; none where nothing of that name can be used any more."""
    if use.endpoint:
        those = [e for e in organization.endpoints_in(project) if e.name_in(project.id) == use.endpoint]
        found = [endpoint for endpoint in those if not endpoint.document.get("isDisabled")]
        return found[0].sign_in_parameters() if found else {}
    values = [g.secrets.get(use.variable, "") for g in organization.groups_in(project) if g.name == use.group]
    key = values[0] if values else ""
    return {"tenantid": cloud.tenant, "serviceprincipalid": use.client_id, "serviceprincipalkey": key}
