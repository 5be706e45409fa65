"""Knows Azure DevOps' service endpoints: a secret parameter is null in every answer, PUT is the organization's.

https://learn.microsoft.com/rest/api/azure/devops/serviceendpoint (7.1).
"""

from typing import Any

from rekey.azure_devops import MEMBERSHIP, AzureDevOps, below

GRANT = (
    f"{MEMBERSHIP}the role Administrator on the service connection (Project settings, Service connections, Security)."
)
_NAMESPACE = "49b48001-ca20-4adc-8111-5b60c903a50c"
_ADMINISTER = 2


class ServiceEndpoints(AzureDevOps):
    """The service endpoints of one organization."""

    async def named(self, project: str, name: str) -> dict[str, Any] | None:
        """Return the project's service endpoint of that name, None if there is none the caller may see."""
        found = await self.listed(f"{below(project)}/serviceendpoint/endpoints", {"endpointNames": name})
        return next((e for e in found if str(e.get("name", "")).lower() == name.lower()), None)

    async def endpoint(self, project: str, endpoint_id: str) -> dict[str, Any] | None:
        """Return the service endpoint of that id, None if it is gone."""
        return await self.found(f"{below(project)}/serviceendpoint/endpoints/{endpoint_id}")

    async def may_administer(self, project_id: str, endpoint_id: str) -> bool:
        """Tell whether the caller may edit that service endpoint."""
        return await self.allows(_NAMESPACE, _ADMINISTER, f"endpoints/{project_id}/{endpoint_id}")

    async def update(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Write the whole endpoint back and return what the service made of it."""
        return await self.call("PUT", f"/_apis/serviceendpoint/endpoints/{endpoint['id']}", body=endpoint) or {}

    async def test_connection(self, project: str, endpoint_id: str) -> tuple[bool, str]:
        """Let Azure DevOps sign in with the endpoint's own credential; return whether it could, and what it said."""
        body = {
            "dataSourceDetails": {"dataSourceName": "TestConnection"},
            "resultTransformationDetails": {},
        }
        path = f"{below(project)}/serviceendpoint/endpointproxy"
        answer = await self.call("POST", path, {"endpointId": endpoint_id}, body) or {}
        said = str(answer.get("errorMessage") or "")
        return str(answer.get("statusCode", "")).lower() in {"ok", "200"}, said
