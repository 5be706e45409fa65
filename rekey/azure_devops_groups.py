"""Knows Azure DevOps' variable groups: secret values are null in every answer, a PUT replaces the whole group.

https://learn.microsoft.com/rest/api/azure/devops/distributedtask/variablegroups (7.1). A secret that a PUT carries
without value keeps the one it has: Microsoft's example of an update sends one so, `az pipelines variable-group variable
update` sends all but one so, and https://github.com/microsoft/terraform-provider-azuredevops/issues/1433 relies on it.
A variable that isn't sent is deleted. A list leaves the group's projects out, without which no PUT is accepted.
"""

from typing import Any

from rekey.azure_devops import MEMBERSHIP, AzureDevOps, below

GRANT = f"{MEMBERSHIP}the role Administrator on the variable group (Pipelines, Library, the group, Security)."
_NAMESPACE = "b7e84409-6553-448a-bbb2-af228e07cbeb"
_ADMINISTER = 2


class VariableGroups(AzureDevOps):
    """The variable groups of one organization."""

    async def named(self, project: str, name: str) -> dict[str, Any] | None:
        """Return the project's group of that name, None if there is none the caller may see."""
        listed = await self.listed(f"{below(project)}/distributedtask/variablegroups", {"groupName": name})
        number = next((g.get("id") for g in listed if str(g.get("name", "")).lower() == name.lower()), None)
        return await self.group(project, str(number)) if number else None

    async def group(self, project: str, number: str) -> dict[str, Any] | None:
        """Return the group of that id, None if it is gone."""
        return await self.found(f"{below(project)}/distributedtask/variablegroups/{number}")

    async def may_administer(self, project_id: str, number: str) -> bool:
        """Tell whether the caller may edit that group."""
        return await self.allows(_NAMESPACE, _ADMINISTER, f"Library/{project_id}/VariableGroup/{number}")

    async def replace(self, group: dict[str, Any]) -> dict[str, Any]:
        """Write the whole group and return what the service made of it."""
        return await self.call("PUT", f"/_apis/distributedtask/variablegroups/{group['id']}", body=group) or {}
