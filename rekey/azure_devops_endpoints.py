"""Knows Azure DevOps' service endpoints: a secret parameter is null in every answer, PUT is the organization's.

https://learn.microsoft.com/rest/api/azure/devops/serviceendpoint (7.1). Whole documents are asked for by 7.2's preview:
7.1 leaves out whether one is disabled, and what isn't seen can't be written back.
"""

from typing import Any

from rekey.azure_devops import MEMBERSHIP, AzureDevOps, below

GRANT = (
    f"{MEMBERSHIP}the role Administrator on the service connection (Project settings, Service connections, Security)."
)
_NAMESPACE = "49b48001-ca20-4adc-8111-5b60c903a50c"
_ADMINISTER = 2
_CREATE = 4
_WHOLE = {"api-version": "7.2-preview.4"}
_ENDPOINTS = "/_apis/serviceendpoint/endpoints"


class ServiceEndpoints(AzureDevOps):
    """The service endpoints of one organization."""

    async def named(self, project: str, name: str) -> dict[str, Any] | None:
        """Return the project's service endpoint of that name, None if there is none the caller may see."""
        found = await self.listed(f"{below(project)}/serviceendpoint/endpoints", {"endpointNames": name})
        return next((e for e in found if str(e.get("name", "")).lower() == name.lower()), None)

    async def endpoint(self, project: str, endpoint_id: str) -> dict[str, Any] | None:
        """Return the service endpoint of that id, None if it is gone."""
        return await self.found(f"{below(project)}/serviceendpoint/endpoints/{endpoint_id}")

    async def documents(self, project: str) -> list[dict[str, Any]]:
        """Return every service endpoint of the project, whole, of whatever type."""
        return await self.listed(f"{below(project)}/serviceendpoint/endpoints", _WHOLE)

    async def document(self, project: str, endpoint_id: str) -> dict[str, Any] | None:
        """Return the whole service endpoint of that id, None if it is gone."""
        return await self.found(f"{below(project)}/serviceendpoint/endpoints/{endpoint_id}", _WHOLE)

    async def may_administer(self, project_id: str, endpoint_id: str) -> bool:
        """Tell whether the caller may edit that service endpoint."""
        return await self.allows(_NAMESPACE, _ADMINISTER, f"endpoints/{project_id}/{endpoint_id}")

    async def may_create(self, project_id: str) -> bool:
        """Tell whether the caller may make service endpoints in that project."""
        return await self.allows(_NAMESPACE, _CREATE, f"endpoints/{project_id}")

    async def update(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Write the whole endpoint back and return what the service made of it."""
        return await self.call("PUT", f"{_ENDPOINTS}/{endpoint['id']}", body=endpoint) or {}

    async def convert(self, project_id: str, endpoint: dict[str, Any]) -> None:
        """Have the endpoint converted to the scheme that the document says; `project_id` is the owning project's.

        UnclearError if that may have happened. Microsoft doesn't document it:
        https://github.com/MicrosoftDocs/vsts-rest-api-specs/issues/688.
        """
        path = f"{below(project_id)}/serviceendpoint/endpoints/{endpoint['id']}"
        query = {"operation": "ConvertAuthenticationScheme", **_WHOLE}
        await self.call("PUT", path, query, endpoint, repeatable=False)

    async def create(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Make an endpoint in the projects that it names and return it; UnclearError if that may have happened."""
        return await self.call("POST", _ENDPOINTS, _WHOLE, endpoint, repeatable=False) or {}

    async def delete(self, endpoint_id: str, project_ids: list[str]) -> None:
        """Take an endpoint away from these projects; its application stays, whoever made that."""
        query = {"projectIds": ",".join(project_ids), "deep": "false"}
        await self.call("DELETE", f"{_ENDPOINTS}/{endpoint_id}", query)

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
