"""Speaks Azure DevOps' REST API 7.1 (7.2 as preview) on `azuredevops.localhost`: who is let in, projects, permissions.

What else is spoken there, and on `vsrm.localhost`, has files of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Host, Route, Router

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Handler, Table
from local.azure.azuredevops_checks import Checks
from local.azure.azuredevops_connections import Connections
from local.azure.azuredevops_definitions import Definitions
from local.azure.azuredevops_executions import Executions
from local.azure.azuredevops_paging import paged
from local.azure.azuredevops_permissions import PipelinePermissions
from local.azure.azuredevops_pipelines import Pipelines
from local.azure.azuredevops_releases import HOST, Releases
from local.azure.azuredevops_rights import has
from local.azure.azuredevops_seed import OrganizationSeeds
from local.azure.azuredevops_state import Organization, Project
from local.azure.azuredevops_told import seeded, told
from local.azure.azuredevops_variable_groups import VariableGroups
from local.azure.cloud import Cloud
from local.azure.wire import ServiceError

_PROJECTS = 100
"""Projects on a page."""
_OPERATIONS = (Connections, PipelinePermissions, Checks, Executions, Pipelines, Definitions, VariableGroups)
RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"


class AzureDevOps:
    """Every organisation of the simulated Azure DevOps."""

    name = "azuredevops"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._seeds = OrganizationSeeds(cloud)
        self.organizations: dict[str, Organization] = {}

    def serves(self, host: str) -> bool:
        """Answer on `azuredevops.localhost`, and on the host of classic releases."""
        return host in ("azuredevops.localhost", f"{HOST}.localhost")

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations; those of classic releases are on a host of their own, as in Azure."""
        releases = Router([self._permissions_route(), *self._routes(Releases(self._cloud).table())])
        others = (kind(self._cloud) for kind in _OPERATIONS)
        here = [*self._organization(), *(operation for other in others for operation in other.table())]
        return [Host(f"{HOST}.localhost", releases), self._permissions_route(), *self._routes(here)]

    def _routes(self, table: Table) -> list[BaseRoute]:
        return [Route(path, self._checked(run), methods=[method]) for method, path, run in table]

    def _permissions_route(self) -> BaseRoute:
        path = "/{org}/_apis/permissions/{namespace}/{permissions:int}"
        return Route(path, self._checked(self._permissions), methods=["GET"])

    def _organization(self) -> Table:
        return [
            ("GET", "/{org}/_apis/connectionData", self._connection_data),
            ("GET", "/{org}/_apis/projects", self._projects),
            ("GET", "/{org}/_apis/projects/{project}", self._project),
        ]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return Azure DevOps' 429."""
        return errors.blocked(retry_after)

    def broken(self, status: int) -> ServiceError:
        """Return Azure DevOps' 5xx."""
        return errors.broken(status)

    def seed(self, document: dict[str, Any]) -> None:
        """Take the `organizations` part in."""
        self._seeds.plant(document.get("organizations"), self.organizations)

    def seeded(self) -> dict[str, Any]:
        """Return the ids of projects and what they own."""
        return {"organizations": seeded(self.organizations)}

    def state(self) -> dict[str, Any]:
        """Return every connection and variable group with its stored secrets and accepted updates, and every run."""
        return {"organizations": told(self.organizations)}

    def _checked(self, run: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: token, organisation, membership, api-version, delay with its headers."""

        async def handle(request: Request) -> Response:
            try:
                caller = self._cloud.authenticate(request, {RESOURCE, self._cloud.url(self.name)})
            except ValueError:
                return self._refused(request)
            organization = self.organizations.get(request.path_params["org"].lower())
            if organization is None:
                return errors.no_organization(request.path_params["org"])
            if caller.object_id not in organization.members:
                raise errors.unauthorized(caller.object_id)
            accept = request.headers.get("accept", "")
            preview = errors.checked_api_version(request.method, request.query_params, accept)
            origin = f"https://{request.headers.get('host', '')}"
            if organization.limit:
                organization.limit.take(caller.object_id, self._cloud.clock.now())
            response = await run(Call(request, organization, caller, preview, origin))
            await self._delay(organization, response)
            if organization.limit:
                organization.limit.tell(caller.object_id, response, self._cloud.clock.now())
            return response

        return handle

    def _refused(self, request: Request) -> Response:
        """Answer a token that isn't accepted: 401 where Entra did issue it, else a page to sign in."""
        token = request.headers.get("authorization", "").partition(" ")[2]
        client_id = self._cloud.tokens.client_id(token)
        if client_id is None:
            return errors.sign_in_page()
        raise errors.unauthorized(client_id)

    async def _delay(self, organization: Organization, response: Response) -> None:
        if organization.delay_seconds > 0:
            await asyncio.sleep(organization.delay_seconds)
            now = self._cloud.clock.now()
            response.headers.update(errors.rate_limit_headers(organization.delay_seconds, now))

    async def _connection_data(self, call: Call) -> Response:
        user = {"id": call.caller.object_id, "providerDisplayName": call.caller.client_id, "isActive": True}
        return JSONResponse({"authenticatedUser": user, "authorizedUser": user, "instanceId": call.organization.id})

    async def _projects(self, call: Call) -> Response:
        visible = [p for p in call.organization.projects.values() if call.organization.sees(call.caller.object_id, p)]
        return paged(call, [self._project_body(call.organization, project) for project in visible], most=_PROJECTS)

    async def _project(self, call: Call) -> Response:
        return JSONResponse(self._project_body(call.organization, call.project))

    def _project_body(self, organization: Organization, project: Project) -> dict[str, Any]:
        url = f"{self._cloud.url(self.name)}/{organization.name}/_apis/projects/{project.id}"
        return {"id": project.id, "name": project.name, "url": url, "state": "wellFormed", "visibility": "private"}

    async def _permissions(self, call: Call) -> Response:
        """Answer for each token whether the caller has all the asked-for bits: `{"count": 1, "value": [true]}`.

        https://learn.microsoft.com/rest/api/azure/devops/security/permissions/has-permissions
        """
        namespace, wanted = call.path("namespace").lower(), call.request.path_params["permissions"]
        query, who = call.request.query_params, call.caller.object_id
        tokens = query.get("tokens", "").split(query.get("delimiter") or ",")
        answers = [has(call.organization, who, namespace, token, wanted) for token in tokens]
        if None in answers:
            raise errors.invalid(f"There is no security namespace {namespace}.")
        return JSONResponse(errors.listed(answers))
