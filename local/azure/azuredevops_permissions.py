"""Speaks Azure DevOps' pipeline permissions (7.1-preview.1): which pipelines may use a connection without being asked.

Of the resource types there are, endpoint only. Unconfirmed and chosen: the 404 for a connection that isn't there.
https://learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/pipeline-permissions
"""

from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table, parsed_body
from local.azure.azuredevops_guards_state import Grant, Permitted
from local.azure.azuredevops_state import Endpoint, Permission
from local.azure.cloud import Cloud

_SPELLINGS = ("pipelinePermissions", "pipelinepermissions")


class Wish(msgspec.Struct, frozen=True):
    """Whether all pipelines may."""

    authorized: bool = False


class PipelineWish(msgspec.Struct, frozen=True):
    """Whether a pipeline may."""

    id: int
    authorized: bool = False


class Wanted(msgspec.Struct, frozen=True, rename="camel"):
    """The body: what shall change; what it leaves out stays."""

    pipelines: tuple[PipelineWish, ...] = ()
    all_pipelines: Wish | None = None


class PipelinePermissions:
    """The pipeline permissions of every organisation's connections."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations; the path is known in both spellings, as routes don't mind case."""
        paths = [
            f"/{{org}}/{{project}}/_apis/pipelines/{word}" for word in ("pipelinePermissions", "pipelinepermissions")
        ]
        return [
            (method, f"{path}/{{type}}/{{resource}}", run)
            for path in paths
            for method, run in (("GET", self._get), ("PATCH", self._change))
        ]

    async def _get(self, call: Call) -> Response:
        endpoint = guarded(call, call.path("type"), call.path("resource"), Permission.VIEW)
        return JSONResponse(_shown(call, endpoint))

    async def _change(self, call: Call) -> Response:
        endpoint = guarded(call, call.path("type"), call.path("resource"), Permission.ADMINISTER)
        wanted, grant = await parsed_body(call, Wanted), Grant(call.member(), self._cloud.clock.now())
        for one in wanted.pipelines:
            if one.id not in call.project.pipelines:
                raise errors.no_pipeline(one.id)
        permitted = endpoint.permitted.setdefault(call.project.id, Permitted())
        if wanted.all_pipelines:
            permitted.everyone = (permitted.everyone or grant) if wanted.all_pipelines.authorized else None
        for one in wanted.pipelines:
            if one.authorized:
                permitted.pipelines.setdefault(one.id, grant)
            else:
                permitted.pipelines.pop(one.id, None)
        return JSONResponse(_shown(call, endpoint))


def guarded(call: Call, kind: str, resource: str, needed: Permission) -> Endpoint:
    """Return a connection by the resource that a caller named; a ServiceError unless it may do that with it."""
    errors.require_preview(call.request.query_params)
    if kind.lower() != "endpoint":
        raise errors.invalid(f"The resource type '{kind}' isn't simulated, endpoint is.")
    project, endpoint = call.project, call.organization.endpoint(resource)
    there = endpoint and project.id in endpoint.project_ids
    if endpoint is None or not there or not call.may_with(endpoint, project.id, Permission.VIEW):
        raise errors.no_endpoint(resource)
    if not call.may_with(endpoint, project.id, needed):
        raise errors.forbidden("the role Administrator")
    return endpoint


def _shown(call: Call, endpoint: Endpoint) -> dict[str, Any]:
    """Return a connection's permissions; that not all pipelines may is told by silence."""
    permitted = endpoint.permitted.get(call.project.id, Permitted())
    everyone = {"allPipelines": permitted.everyone.shown()} if permitted.everyone else {}
    return {
        "resource": {"type": "endpoint", "id": endpoint.id},
        **everyone,
        "pipelines": [{"id": number, **grant.shown()} for number, grant in permitted.pipelines.items()],
    }
