"""Speaks of Azure DevOps' Build API 7.1 what tells pipelines and runs apart: by name, author, pool, process and date.

A pipeline of the designer is told with its steps, whose inputs name connections by id; of one in YAML the file is told.
https://learn.microsoft.com/rest/api/azure/devops/build/definitions
"""

import fnmatch
import zlib
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table, identity
from local.azure.azuredevops_paging import paged
from local.azure.azuredevops_pipelines import found, visible
from local.azure.azuredevops_pipelines_state import Pipeline, Run
from local.azure.cloud import Cloud

_DESIGNER, _YAML = 1, 2
_AZURE_CLI = "46e4be58-730b-4389-8a2f-ea10b3e5e815"


class Definitions:
    """The definitions and builds of every organisation."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations."""
        apis = "/{org}/{project}/_apis/build"
        return [
            ("GET", f"{apis}/definitions", self._definitions),
            ("GET", f"{apis}/definitions/{{pipeline:int}}", self._definition),
            ("GET", f"{apis}/builds", self._builds),
        ]

    async def _definitions(self, call: Call) -> Response:
        pattern = call.request.query_params.get("name", "*").lower()
        those = [p for p in visible(call, call.project) if fnmatch.fnmatchcase(p.name.lower(), pattern)]
        told = _whole if call.request.query_params.get("includeAllProperties", "").lower() == "true" else _reference
        return paged(call, [told(call, one) for one in those])

    async def _definition(self, call: Call) -> Response:
        return JSONResponse(_whole(call, found(call)))

    async def _builds(self, call: Call) -> Response:
        """Return runs by `definitions`, `branchName` and `reasonFilter`, at most `$top`, newest first in any case."""
        query, now = call.request.query_params, self._cloud.clock.now()
        wanted = {value for value in query.get("definitions", "").split(",") if value}
        those = [
            (pipeline, run)
            for pipeline in visible(call, call.project)
            if not wanted or str(pipeline.id) in wanted
            for run in pipeline.runs.values()
            if query.get("branchName", run.branch) == run.branch and query.get("reasonFilter", run.reason) == run.reason
        ]
        newest = sorted(those, key=lambda pair: -pair[1].id)[: int(query.get("$top", "1000"))]
        return JSONResponse(errors.listed([_build(call, *pair, now) for pair in newest]))


def _reference(call: Call, pipeline: Pipeline) -> dict[str, Any]:
    project, number = call.project, zlib.crc32(pipeline.pool.encode()) % 1000
    pool = {"id": number, "name": pipeline.pool, **({"isHosted": True} if pipeline.hosted else {})}
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "path": pipeline.folder,
        "type": "build",
        "queueStatus": pipeline.status,
        "revision": 1,
        "authoredBy": identity(call.origin, call.organization, call.organization.id, pipeline.author),
        "queue": {"id": number, "name": pipeline.pool, "pool": pool},
        "project": {"id": project.id, "name": project.name},
    }


def _whole(call: Call, pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline with what a list leaves out unless it is asked for all properties."""
    return {
        **_reference(call, pipeline),
        "process": _process(pipeline),
        "repository": {"type": "TfsGit", "defaultBranch": pipeline.branches[0]},
        "variables": pipeline.variables,
    }


def _process(pipeline: Pipeline) -> dict[str, Any]:
    if pipeline.kind == "yaml":
        return {"type": _YAML, "yamlFilename": pipeline.yaml}
    steps = [
        {
            "displayName": step.name,
            "enabled": True,
            "condition": "succeeded()",
            "task": {"id": _AZURE_CLI, "versionSpec": "2.*", "definitionType": "task"},
            "inputs": step.inputs,
        }
        for step in pipeline.steps
    ]
    return {"type": _DESIGNER, "phases": [{"name": "Agent job 1", "refName": "Job_1", "steps": steps}]}


def _build(call: Call, pipeline: Pipeline, run: Run, now: datetime) -> dict[str, Any]:
    end = {"result": run.result, "finishTime": run.ends().isoformat()} if run.over(now) else {}
    return {
        "id": run.id,
        "buildNumber": run.name,
        "status": "completed" if run.over(now) else "inProgress",
        **end,
        "queueTime": run.queued.isoformat(),
        "reason": run.reason,
        "sourceBranch": run.branch,
        "definition": {"id": pipeline.id, "name": pipeline.name},
        "requestedFor": {"id": run.by},
        "project": {"id": call.project.id, "name": call.project.name},
    }
