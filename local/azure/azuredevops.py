"""Speaks Azure DevOps' REST API 7.1 (7.2 as preview) on `azuredevops.localhost`: who is let in, connections.

What else is spoken there, and on `vsrm.localhost`, has files of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Host, Route, Router

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Handler, Table, parsed_body
from local.azure.azuredevops_conversion import OPERATION, Wanted, converted
from local.azure.azuredevops_executions import Executions
from local.azure.azuredevops_paging import paged
from local.azure.azuredevops_pipelines import Pipelines
from local.azure.azuredevops_proxy import parsed_request, tested
from local.azure.azuredevops_releases import HOST, Releases
from local.azure.azuredevops_rights import has
from local.azure.azuredevops_seed import OrganizationSeeds
from local.azure.azuredevops_state import Endpoint, Organization, Permission, Project
from local.azure.azuredevops_told import seeded, told
from local.azure.azuredevops_update import parsed_endpoint, update
from local.azure.azuredevops_variable_groups import VariableGroups
from local.azure.cloud import Cloud
from local.azure.wire import ServiceError

_PROJECTS = 100
"""Projects on a page."""
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
        others = (Executions(self._cloud), Pipelines(self._cloud), VariableGroups(self._cloud))
        here = [*self._connections(), *(operation for other in others for operation in other.table())]
        return [Host(f"{HOST}.localhost", releases), self._permissions_route(), *self._routes(here)]

    def _routes(self, table: Table) -> list[BaseRoute]:
        return [Route(path, self._checked(run), methods=[method]) for method, path, run in table]

    def _permissions_route(self) -> BaseRoute:
        path = "/{org}/_apis/permissions/{namespace}/{permissions:int}"
        return Route(path, self._checked(self._permissions), methods=["GET"])

    def _connections(self) -> Table:
        endpoints = "_apis/serviceendpoint/endpoints"
        return [
            ("GET", "/{org}/_apis/connectionData", self._connection_data),
            ("GET", "/{org}/_apis/projects", self._projects),
            ("GET", "/{org}/_apis/projects/{project}", self._project),
            ("PUT", f"/{{org}}/{endpoints}/{{endpoint}}", self._update),
            ("PUT", f"/{{org}}/{{project}}/{endpoints}/{{endpoint}}", self._update),
            ("GET", f"/{{org}}/{{project}}/{endpoints}", self._endpoints),
            ("GET", f"/{{org}}/{{project}}/{endpoints}/{{endpoint}}", self._endpoint),
            ("POST", "/{org}/{project}/_apis/serviceendpoint/endpointproxy", self._proxy),
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

    async def _endpoints(self, call: Call) -> Response:
        project, query = call.project, call.request.query_params
        names = {name for name in query.get("endpointNames", "").split(",") if name}
        ids = {value.lower() for value in query.get("endpointIds", "").split(",") if value}
        schemes = {scheme for scheme in query.get("authSchemes", "").lower().split(",") if scheme}
        found = [
            endpoint
            for endpoint in call.organization.endpoints_in(project)
            if call.may(project.id, Permission.VIEW)
            and (not names or endpoint.name_in(project.id) in names)
            and (not ids or endpoint.id in ids)
            and query.get("type", endpoint.document["type"]).lower() == endpoint.document["type"].lower()
            and (not schemes or endpoint.document["authorization"]["scheme"].lower() in schemes)
        ]
        return JSONResponse(errors.listed([e.shown(project.id, preview=call.preview) for e in found]))

    async def _endpoint(self, call: Call) -> Response:
        """Answer null with 200 for a connection that isn't there or isn't for the caller's eyes, as the service does.

        The Terraform provider handles exactly that in its service endpoint resources.
        """
        project, endpoint = call.project, call.organization.endpoint(call.path("endpoint"))
        if endpoint is None or project.id not in endpoint.project_ids or not call.may(project.id, Permission.VIEW):
            return JSONResponse(None)
        return JSONResponse(endpoint.shown(project.id, preview=call.preview))

    async def _update(self, call: Call) -> Response:
        endpoint = self._existing(call, call.path("endpoint"))
        if not call.may(endpoint.project_ids[0], Permission.ADMINISTER):
            raise errors.forbidden("the role Administrator")
        if call.request.query_params.get("operation") == OPERATION:
            project_id = call.project.id if "project" in call.request.path_params else None
            body, by = await parsed_body(call, Wanted), call.caller.client_id
            converted(self._cloud, call.organization, endpoint, body, by=by, project_id=project_id)
            return JSONResponse(endpoint.shown(project_id, preview=call.preview))
        wanted = parsed_endpoint(await call.request.body(), endpoint, call.organization)
        update(endpoint, wanted, call.organization, call.caller.client_id, self._cloud.clock.now())
        return JSONResponse(endpoint.shown(None, preview=call.preview))

    async def _proxy(self, call: Call) -> Response:
        """Run a request with a connection's credential; with edited details that takes Administrator, else User."""
        project, wanted = call.project, parsed_request(await call.request.body())
        endpoint = self._existing(call, call.request.query_params.get("endpointId", ""))
        if project.id not in endpoint.project_ids:
            raise errors.no_endpoint(endpoint.id)
        needed = Permission.ADMINISTER if wanted.service_endpoint_details else Permission.USE
        if not call.may(project.id, needed):
            raise errors.forbidden(f"the role {'Administrator' if needed is Permission.ADMINISTER else 'User'}")
        return JSONResponse(await tested(self._cloud, endpoint, wanted))

    def _existing(self, call: Call, endpoint_id: str) -> Endpoint:
        endpoint = call.organization.endpoint(endpoint_id)
        visible = endpoint and any(call.may(project, Permission.VIEW) for project in endpoint.project_ids)
        if endpoint is None or not visible:
            raise errors.no_endpoint(endpoint_id)
        return endpoint
