"""Speaks the operations on service connections: list, read, make, change, delete, convert, test.

Whoever makes a connection is an administrator of that one, whatever else they may do in its project.
https://learn.microsoft.com/azure/devops/pipelines/policies/permissions#service-connection-security-roles
"""

from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table, parsed_body
from local.azure.azuredevops_conversion import OPERATION, Wanted, converted
from local.azure.azuredevops_creation import create, parsed_creation
from local.azure.azuredevops_proxy import parsed_request, tested
from local.azure.azuredevops_state import Endpoint, Permission, Project
from local.azure.azuredevops_update import parsed_endpoint, update
from local.azure.cloud import Cloud


class Connections:
    """The service connections of every organisation."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations."""
        endpoints = "_apis/serviceendpoint/endpoints"
        return [
            ("POST", f"/{{org}}/{endpoints}", self._create),
            ("PUT", f"/{{org}}/{endpoints}/{{endpoint}}", self._update),
            ("DELETE", f"/{{org}}/{endpoints}/{{endpoint}}", self._delete),
            ("PUT", f"/{{org}}/{{project}}/{endpoints}/{{endpoint}}", self._update),
            ("GET", f"/{{org}}/{{project}}/{endpoints}", self._list),
            ("GET", f"/{{org}}/{{project}}/{endpoints}/{{endpoint}}", self._get),
            ("POST", "/{org}/{project}/_apis/serviceendpoint/endpointproxy", self._proxy),
        ]

    async def _list(self, call: Call) -> Response:
        project, query = call.project, call.request.query_params
        names = {name for name in query.get("endpointNames", "").split(",") if name}
        ids = {value.lower() for value in query.get("endpointIds", "").split(",") if value}
        schemes = {scheme for scheme in query.get("authSchemes", "").lower().split(",") if scheme}
        found = [
            endpoint
            for endpoint in call.organization.endpoints_in(project)
            if call.may_with(endpoint, project.id, Permission.VIEW)
            and (not names or endpoint.name_in(project.id) in names)
            and (not ids or endpoint.id in ids)
            and query.get("type", endpoint.document["type"]).lower() == endpoint.document["type"].lower()
            and (not schemes or endpoint.document["authorization"]["scheme"].lower() in schemes)
        ]
        return JSONResponse(errors.listed([e.shown(project.id, preview=call.preview) for e in found]))

    async def _get(self, call: Call) -> Response:
        """Answer null with 200 for a connection that isn't there or isn't for the caller's eyes, as the service does.

        The Terraform provider handles exactly that in its service endpoint resources.
        """
        project, endpoint = call.project, call.organization.endpoint(call.path("endpoint"))
        visible = endpoint and project.id in endpoint.project_ids
        if endpoint is None or not visible or not call.may_with(endpoint, project.id, Permission.VIEW):
            return JSONResponse(None)
        return JSONResponse(endpoint.shown(project.id, preview=call.preview))

    async def _create(self, call: Call) -> Response:
        body = parsed_creation(await call.request.body(), call.organization)
        for reference in body["serviceEndpointProjectReferences"]:
            project = self._project(call, reference["projectReference"]["id"])
            if not call.may(project.id, Permission.CREATE):
                raise errors.forbidden("the role Creator")
        made = create(self._cloud, call, body)
        return JSONResponse(made.shown(None, preview=call.preview))

    async def _update(self, call: Call) -> Response:
        endpoint = self._existing(call, call.path("endpoint"))
        if not call.may_with(endpoint, endpoint.project_ids[0], Permission.ADMINISTER):
            raise errors.forbidden("the role Administrator")
        if call.request.query_params.get("operation") == OPERATION:
            project_id = call.project.id if "project" in call.request.path_params else None
            body, by = await parsed_body(call, Wanted), call.caller.client_id
            await converted(self._cloud, call.organization, endpoint, body, by=by, project_id=project_id)
            return JSONResponse(endpoint.shown(project_id, preview=call.preview))
        wanted = parsed_endpoint(await call.request.body(), endpoint, call.organization)
        update(endpoint, wanted, call.organization, call.caller.client_id, self._cloud.clock.now())
        return JSONResponse(endpoint.shown(None, preview=call.preview))

    async def _delete(self, call: Call) -> Response:
        """Take a connection away from the projects of `projectIds`; without any left it is gone.

        The specification says 200, its example 204, which is what the service answers.
        """
        endpoint = self._existing(call, call.path("endpoint"))
        wanted = [one.lower() for one in call.request.query_params.get("projectIds", "").split(",") if one]
        if not wanted:
            raise errors.missing("projectIds")
        for project_id in wanted:
            project = self._project(call, project_id)
            if project.id not in endpoint.project_ids:
                raise errors.no_endpoint(endpoint.id)
            if not call.may_with(endpoint, project.id, Permission.ADMINISTER):
                raise errors.forbidden("the role Administrator")
        call.organization.remove(endpoint, [self._project(call, one).id for one in wanted])
        return Response(status_code=204)

    async def _proxy(self, call: Call) -> Response:
        """Run a request with a connection's credential; with edited details that takes Administrator, else User."""
        project, wanted = call.project, parsed_request(await call.request.body())
        endpoint = self._existing(call, call.request.query_params.get("endpointId", ""))
        if project.id not in endpoint.project_ids:
            raise errors.no_endpoint(endpoint.id)
        needed = Permission.ADMINISTER if wanted.service_endpoint_details else Permission.USE
        if not call.may_with(endpoint, project.id, needed):
            raise errors.forbidden(f"the role {'Administrator' if needed is Permission.ADMINISTER else 'User'}")
        return JSONResponse(await tested(self._cloud, endpoint, wanted))

    def _existing(self, call: Call, endpoint_id: str) -> Endpoint:
        endpoint = call.organization.endpoint(endpoint_id)
        if endpoint is None or not any(call.may_with(endpoint, one, Permission.VIEW) for one in endpoint.project_ids):
            raise errors.no_endpoint(endpoint_id)
        return endpoint

    def _project(self, call: Call, project_id: str) -> Project:
        project = call.organization.project(project_id)
        if project is None or not call.organization.sees(call.caller.object_id, project):
            raise errors.no_project(project_id)
        return project
