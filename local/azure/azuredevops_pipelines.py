"""Speaks Azure DevOps' Pipelines API 7.1: pipelines and their runs.

A run signs in with what the project's connections and variable groups hold, so that its result says whether they work.
Unconfirmed and chosen: which exceptions answer a branch that isn't there and a disabled pipeline.
"""

from datetime import datetime
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table, parsed_body
from local.azure.azuredevops_paging import paged
from local.azure.azuredevops_pipelines_state import Pipeline, Run
from local.azure.azuredevops_rights import BUILD, Build
from local.azure.azuredevops_state import Project
from local.azure.azuredevops_work import result
from local.azure.cloud import Cloud
from local.azure.wire import ServiceError

_ASSEMBLY = "Microsoft.Azure.Pipelines.WebApi"
_BUILD_ASSEMBLY = "Microsoft.TeamFoundation.Build.WebApi"


class Repository(msgspec.Struct, frozen=True, rename="camel"):
    """A repository resource of a run."""

    ref_name: str = ""


class Resources(msgspec.Struct, frozen=True, rename="camel"):
    """The resources of a run."""

    repositories: dict[str, Repository] = {}


class RunParameters(msgspec.Struct, frozen=True, rename="camel"):
    """The body that queues a run."""

    resources: Resources = Resources()


class Pipelines:
    """The pipelines of every organisation."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations."""
        apis = "/{org}/{project}/_apis"
        return [
            ("GET", f"{apis}/pipelines", self._list),
            ("GET", f"{apis}/pipelines/{{pipeline:int}}", self._get),
            ("GET", f"{apis}/pipelines/{{pipeline:int}}/runs", self._runs),
            ("POST", f"{apis}/pipelines/{{pipeline:int}}/runs", self._queue),
            ("GET", f"{apis}/pipelines/{{pipeline:int}}/runs/{{run:int}}", self._run),
        ]

    async def _list(self, call: Call) -> Response:
        return paged(call, [_pipeline(call, one) for one in visible(call, call.project)])

    async def _get(self, call: Call) -> Response:
        return JSONResponse({**_pipeline(call, one := found(call)), "configuration": {"type": one.kind}})

    async def _runs(self, call: Call) -> Response:
        pipeline, now = found(call), self._cloud.clock.now()
        newest = sorted(pipeline.runs.values(), key=lambda run: -run.id)
        return JSONResponse(errors.listed([_shown(call, pipeline, run, now) for run in newest]))

    async def _run(self, call: Call) -> Response:
        pipeline = found(call)
        run = pipeline.runs.get(int(call.path("run")))
        if run is None:
            raise errors.vss(404, f"Run {call.path('run')} not found.", "RunNotFoundException", _ASSEMBLY)
        return JSONResponse(_shown(call, pipeline, run, self._cloud.clock.now()))

    async def _queue(self, call: Call) -> Response:
        """Queue a run on the named branch, else on the default one."""
        pipeline, wanted = found(call), await parsed_body(call, RunParameters)
        if not call.has(call.project, BUILD, Build.QUEUE):
            raise _no_queueing(call, pipeline)
        branch = wanted.resources.repositories.get("self", Repository()).ref_name or pipeline.branches[0]
        _check(pipeline, branch)
        work = pipeline.work
        ended = await result(self._cloud, call.organization, call.project, work, "failed")
        number, now = call.organization.next_number("run"), self._cloud.clock.now()
        name = f"{now:%Y%m%d}.{len(pipeline.runs) + 1}"
        run = Run(number, name, branch, now, work.seconds, ended, call.caller.object_id)
        pipeline.runs[number] = run
        return JSONResponse(_shown(call, pipeline, run, now))


def visible(call: Call, project: Project) -> list[Pipeline]:
    """Return the pipelines of a project that the caller may view."""
    return list(project.pipelines.values()) if call.has(project, BUILD, Build.VIEW_DEFINITION) else []


def found(call: Call) -> Pipeline:
    """Return the pipeline in the path, which isn't there for whoever may not view it."""
    number = int(call.path("pipeline"))
    those = [pipeline for pipeline in visible(call, call.project) if pipeline.id == number]
    if not those:
        raise errors.no_pipeline(number)
    return those[0]


def _check(pipeline: Pipeline, branch: str) -> None:
    if pipeline.status == "disabled":
        message = f"The pipeline {pipeline.id} ({pipeline.name}) is disabled."
        raise errors.vss(400, message, "DefinitionDisabledException", _BUILD_ASSEMBLY)
    if branch not in pipeline.branches:
        message = f"/azure-pipelines.yml: could not be found in the repository on branch {branch}."
        raise errors.vss(400, message, "PipelineValidationException", _ASSEMBLY)


def _no_queueing(call: Call, pipeline: Pipeline) -> ServiceError:
    message = (
        f"TF215106: Access denied. {call.caller.client_id} needs Queue builds permissions for build pipeline "
        f"{pipeline.id}:{pipeline.name} in team project {call.project.name} to perform the action. "
        "For more information, contact the Azure DevOps administrator."
    )
    return errors.vss(403, message, "AccessDeniedException", _BUILD_ASSEMBLY)


def _pipeline(call: Call, pipeline: Pipeline) -> dict[str, Any]:
    where = f"{call.origin}/{call.organization.name}/{call.project.id}"
    url = f"{where}/_apis/pipelines/{pipeline.id}?revision=1"
    web = f"{where}/_build/definition?definitionId={pipeline.id}"
    return {
        "_links": {"self": {"href": url}, "web": {"href": web}},
        "url": url,
        "id": pipeline.id,
        "revision": 1,
        "name": pipeline.name,
        "folder": pipeline.folder,
    }


def _shown(call: Call, pipeline: Pipeline, run: Run, now: datetime) -> dict[str, Any]:
    """Return a run; it has neither result nor end while it is in progress."""
    where = f"{call.origin}/{call.organization.name}/{call.project.id}"
    url = f"{where}/_apis/pipelines/{pipeline.id}/runs/{run.id}"
    about = {name: value for name, value in _pipeline(call, pipeline).items() if name != "_links"}
    repository = {"repository": {"type": "azureReposGit"}, "refName": run.branch, "version": "0" * 40}
    end = {"result": run.result, "finishedDate": run.ends().isoformat()} if run.over(now) else {}
    return {
        "_links": {"self": {"href": url}, "web": {"href": f"{where}/_build/results?buildId={run.id}"}},
        "templateParameters": {},
        "pipeline": about,
        "state": "completed" if run.over(now) else "inProgress",
        "createdDate": run.queued.isoformat(),
        **end,
        "url": url,
        "resources": {"repositories": {"self": repository}},
        "id": run.id,
        "name": run.name,
    }
