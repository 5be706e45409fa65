"""Speaks Azure DevOps' REST API 7.1 as far as service endpoints go, and knows how it fails.

Bad authentication yields a sign-in page with a 2xx status, so anything but JSON is a refusal; secret parameters are
null in every answer, so what is written back must carry the secret again; PUT is the organization's, GET a project's.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.core.rest import AsyncHttpResponse, HttpRequest

from rekey.azure_errors import of_status, retry_after, translated
from rekey.errors import NotYetError, PermanentError

if TYPE_CHECKING:
    from azure.core import AsyncPipelineClient

API_VERSION = "7.1"
ENDPOINTS_NAMESPACE = "49b48001-ca20-4adc-8111-5b60c903a50c"
ADMINISTER = 2
"""Security namespace and bit: https://learn.microsoft.com/azure/devops/organizations/security/namespace-reference."""

GRANT = (
    "Add the app's identity to the Azure DevOps organization as a user (by its service principal's object id; it takes "
    "a licence) and give it the role Administrator on the service connection (Project settings, Service connections, "
    "Security)."
)


class AzureDevOps:
    """One organization, through the process's shared pipeline. One HTTP request per call, nothing repeated."""

    def __init__(
        self, client: "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]", origin: str, organization: str
    ) -> None:
        self._client = client
        self._base = f"{origin}/{quote(organization, safe='')}"
        self._organization = organization

    async def endpoint_named(self, project: str, name: str) -> dict[str, Any] | None:
        """Return the project's service endpoint of that name, None if there is none the caller may see."""
        found = await self._call("GET", f"{_in(project)}/serviceendpoint/endpoints", {"endpointNames": name})
        matching = [e for e in (found or {}).get("value", []) if str(e.get("name", "")).lower() == name.lower()]
        return matching[0] if matching else None

    async def endpoint(self, project: str, endpoint_id: str) -> dict[str, Any] | None:
        """Return the service endpoint of that id, None if it is gone (the service answers `null` or 404)."""
        try:
            return await self._call("GET", f"{_in(project)}/serviceendpoint/endpoints/{endpoint_id}", {})
        except PermanentError as error:
            if error.code == "not-found":
                return None
            raise

    async def may_administer(self, project_id: str, endpoint_id: str) -> bool:
        """Tell whether the caller may edit that service endpoint."""
        path = f"/_apis/permissions/{ENDPOINTS_NAMESPACE}/{ADMINISTER}"
        answer = await self._call("GET", path, {"tokens": f"endpoints/{project_id}/{endpoint_id}"})
        return bool(answer) and all((answer or {}).get("value", [False]))

    async def update_endpoint(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Write the whole endpoint back and return what the service made of it."""
        path = f"/_apis/serviceendpoint/endpoints/{endpoint['id']}"
        return await self._call("PUT", path, {}, endpoint) or {}

    async def test_connection(self, project: str, endpoint_id: str) -> tuple[bool, str]:
        """Let Azure DevOps sign in with the endpoint's own credential; return whether it could, and what it said."""
        body = {
            "dataSourceDetails": {"dataSourceName": "TestConnection"},
            "resultTransformationDetails": {},
        }
        path = f"{_in(project)}/serviceendpoint/endpointproxy"
        answer = await self._call("POST", path, {"endpointId": endpoint_id}, body) or {}
        said = str(answer.get("errorMessage") or "")
        return str(answer.get("statusCode", "")).lower() in {"ok", "200"}, said

    async def _call(self, method: str, path: str, query: dict[str, str], body: Any = None) -> dict[str, Any] | None:
        where = f"Azure DevOps organization {self._organization}"
        request = HttpRequest(
            method,
            self._base + path,
            params={**query, "api-version": API_VERSION},
            headers={"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress"},
            json=body,
        )
        with translated(where, forbidden=GRANT):
            response = await self._client.send_request(request)
        return _answer(response, where)


def _in(project: str) -> str:
    return f"/{quote(project, safe='')}/_apis"


def _answer(response: AsyncHttpResponse, where: str) -> dict[str, Any] | None:
    if response.status_code in {401, 203, 302} or (
        response.status_code < 300 and "json" not in response.headers.get("Content-Type", "")
    ):
        raise PermanentError(
            "unauthorized", f"{where}: answered HTTP {response.status_code} with a sign-in page", GRANT
        )
    if response.status_code >= 300:
        raise of_status(
            response.status_code,
            where,
            forbidden=GRANT,
            service_code=_type_key(response),
            retry_after=retry_after(response.headers),
        )
    try:
        answer: dict[str, Any] | None = response.json()
    except ValueError:
        raise NotYetError("malformed-answer", f"{where}: the answer is not JSON") from None
    return answer


def _type_key(response: AsyncHttpResponse) -> str:
    try:
        return str(response.json().get("typeKey") or "")
    except (ValueError, AttributeError):
        return ""
