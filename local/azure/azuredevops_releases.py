"""Speaks Azure DevOps' Release API 7.1 for classic releases, on the host it has to itself.

Stages that start by themselves do so when the release is created or the stage before has ended well; others wait.
Unconfirmed and chosen: the exceptions of the 404s, the sentence of the 403. Approvals and gates aren't imitated.
"""

from datetime import datetime
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table, identity, parsed_body
from local.azure.azuredevops_paging import paged
from local.azure.azuredevops_releases_state import Definition, Deployment, Release, planned
from local.azure.azuredevops_rights import RELEASE
from local.azure.azuredevops_rights import Release as Right
from local.azure.azuredevops_work import result
from local.azure.cloud import Cloud

HOST = "vsrm"
_ASSEMBLY = "Microsoft.VisualStudio.Services.ReleaseManagement.WebApi"


class StartMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """The body that creates a release."""

    definition_id: int
    description: str = ""


_AUTHOR = "releases@contoso.example"
"""Who made every release pipeline here."""


class Releases:
    """The classic releases of every organisation."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations."""
        apis = "/{org}/{project}/_apis/release"
        return [
            ("GET", f"{apis}/definitions", self._definitions),
            ("GET", f"{apis}/definitions/{{definition:int}}", self._definition),
            ("GET", f"{apis}/releases", self._releases),
            ("POST", f"{apis}/releases", self._create),
            ("GET", f"{apis}/releases/{{release:int}}", self._release),
        ]

    async def _definitions(self, call: Call) -> Response:
        query = call.request.query_params
        text, exact = query.get("searchText", "").lower(), query.get("isExactNameMatch", "").lower() == "true"
        told = _expanded if "environments" in query.get("$expand", "").lower() else _about
        found = [
            told(call, one)
            for one in _visible(call)
            if (one.name.lower() == text if exact else text in one.name.lower())
        ]
        return paged(call, found)

    async def _definition(self, call: Call) -> Response:
        definition = _found(call, int(call.path("definition")))
        stages = [
            {
                "id": stage.id,
                "name": stage.name,
                "rank": rank,
                "conditions": _conditions(definition, rank) if stage.automatic else [],
            }
            for rank, stage in enumerate(definition.stages, 1)
        ]
        return JSONResponse({**_about(call, definition), "environments": stages, "variables": definition.variables})

    async def _create(self, call: Call) -> Response:
        wanted = await parsed_body(call, StartMetadata)
        definition = _found(call, wanted.definition_id)
        if not call.has(call.project, RELEASE, Right.CREATE_RELEASES):
            message = f"VS402904: Access denied: User {call.caller.client_id} does not have queue releases permission."
            raise errors.vss(403, message, "AccessDeniedException", _ASSEMBLY)
        works = [
            await result(self._cloud, call.organization, call.project, s.work, "rejected") for s in definition.stages
        ]
        ids = tuple(call.organization.next_number("environment") for _ in definition.stages)
        now, number = self._cloud.clock.now(), call.organization.next_number("release")
        deployments = planned(definition.stages, tuple(works), ids, now)
        name = f"Release-{len(definition.releases) + 1}"
        release = Release(number, name, wanted.description, now, call.caller.object_id, deployments)
        definition.releases[number] = release
        return JSONResponse(_shown(call, definition, release, now))

    async def _releases(self, call: Call) -> Response:
        """Return releases by `definitionId`, at most `$top`, newest first; their stages only if `$expand` says so."""
        query, now = call.request.query_params, self._cloud.clock.now()
        wanted = query.get("definitionId")
        found = [
            _shown(call, definition, release, now)
            for definition in _visible(call)
            if wanted in (None, str(definition.id))
            for release in definition.releases.values()
        ]
        newest = sorted(found, key=lambda one: -int(one["id"]))[: int(query.get("$top", "50"))]
        if "environments" not in query.get("$expand", "").lower():
            newest = [{name: value for name, value in one.items() if name != "environments"} for one in newest]
        return JSONResponse(errors.listed(newest))

    async def _release(self, call: Call) -> Response:
        number = int(call.path("release"))
        for definition in _visible(call):
            if number in definition.releases:
                shown = _shown(call, definition, definition.releases[number], self._cloud.clock.now())
                return JSONResponse(shown)
        raise errors.vss(404, f"Release with ID {number} does not exist.", "ReleaseNotFoundException", _ASSEMBLY)


def _visible(call: Call) -> list[Definition]:
    may = call.has(call.project, RELEASE, Right.VIEW_DEFINITION)
    return list(call.project.definitions.values()) if may else []


def _found(call: Call, number: int) -> Definition:
    found = [definition for definition in _visible(call) if definition.id == number]
    if not found:
        message = f"VS402885: Release pipeline with ID {number} does not exist."
        raise errors.vss(404, message, "ReleaseDefinitionNotFoundException", _ASSEMBLY)
    return found[0]


def _about(call: Call, definition: Definition) -> dict[str, Any]:
    url = f"{call.origin}/{call.organization.name}/{call.project.id}/_apis/Release/definitions/{definition.id}"
    return {"id": definition.id, "name": definition.name, "path": definition.path, "revision": 1, "url": url}


def _expanded(call: Call, definition: Definition) -> dict[str, Any]:
    """Return a definition with the tasks of its stages, whose inputs name connections by id."""
    ids = {one.name_in(call.project.id): one.id for one in call.organization.endpoints_in(call.project)}
    stages = [
        {"id": stage.id, "name": stage.name, "deployPhases": [{"name": "Agent job", "workflowTasks": tasks}]}
        for stage in definition.stages
        for tasks in [[{"inputs": {"ConnectedServiceName": ids.get(use.endpoint, "")}} for use in stage.work.uses]]
    ]
    author = identity(call.origin, call.organization, call.organization.id, _AUTHOR)
    return {
        **_about(call, definition),
        "createdBy": author,
        "environments": stages,
        "variables": definition.variables,
    }


def _conditions(definition: Definition, rank: int) -> list[dict[str, str]]:
    """Return what starts an automatic stage: the release's creation, or the stage before."""
    if rank == 1:
        return [{"name": "ReleaseStarted", "conditionType": "event", "value": ""}]
    return [{"name": definition.stages[rank - 2].name, "conditionType": "environmentState", "value": "4"}]


def _shown(call: Call, definition: Definition, release: Release, now: datetime) -> dict[str, Any]:
    about = {name: value for name, value in _about(call, definition).items() if name != "revision"}
    url = f"{call.origin}/{call.organization.name}/{call.project.id}/_apis/Release/releases/{release.id}"
    return {
        "id": release.id,
        "name": release.name,
        "status": "active",
        "createdOn": release.created.isoformat(),
        "createdBy": identity(call.origin, call.organization, release.by, release.by),
        "description": release.description,
        "reason": "manual",
        "releaseDefinition": about,
        "projectReference": {"id": call.project.id, "name": call.project.name},
        "_links": {"self": {"href": url}},
        "environments": [_environment(definition, release, one, now) for one in release.deployments],
    }


def _environment(definition: Definition, release: Release, deployment: Deployment, now: datetime) -> dict[str, Any]:
    stage, status = deployment.stage, deployment.status(now)
    attempt = {"id": deployment.id, "deploymentId": deployment.id, "attempt": 1, "status": _ATTEMPTS.get(status)}
    rank = definition.stages.index(stage) + 1
    return {
        "id": deployment.id,
        "releaseId": release.id,
        "name": stage.name,
        "status": status,
        "definitionEnvironmentId": stage.id,
        "rank": rank,
        "conditions": [{**one, "result": True} for one in _conditions(definition, rank)] if stage.automatic else [],
        "deploySteps": [attempt] if attempt["status"] else [],
    }


_ATTEMPTS = {
    "inProgress": "inProgress",
    "succeeded": "succeeded",
    "partiallySucceeded": "partiallySucceeded",
    "rejected": "failed",
    "canceled": "failed",
}
"""Deployment status by environment status."""
