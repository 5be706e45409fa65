"""Speaks Azure DevOps' execution history of a service connection: which runs used it, newest first.

It has what pipelines and releases of the simulated organisation did, and what a seed says that was done before.
Unconfirmed and chosen: a shared connection's history is told by project, the numbers of records, and 50 on a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table
from local.azure.azuredevops_paging import paged
from local.azure.azuredevops_pipelines_state import Work
from local.azure.azuredevops_state import Endpoint, Permission, Project
from local.azure.cloud import Cloud

_PAGE = 50
_RESULTS = {"partiallySucceeded": "succeededWithIssues", "rejected": "failed"}
"""Results of stages that are called otherwise here."""


@dataclass(frozen=True)
class _Used:
    """One use of a connection: by which definition, in which run, from when to when, with which result."""

    plan: str
    definition: tuple[int, str]
    owner: tuple[int, str]
    starts: datetime
    ends: datetime
    result: str


class Executions:
    """The execution histories of every organisation's connections."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations."""
        return [("GET", "/{org}/{project}/_apis/serviceendpoint/{endpoint}/executionhistory", self._history)]

    async def _history(self, call: Call) -> Response:
        project, endpoint = call.project, call.organization.endpoint(call.path("endpoint"))
        there = endpoint and project.id in endpoint.project_ids
        if endpoint is None or not there or not call.may_with(endpoint, project.id, Permission.VIEW):
            raise errors.no_endpoint(call.path("endpoint"))
        now = self._cloud.clock.now()
        begun = sorted((use for use in _uses(project, endpoint) if use.starts <= now), key=lambda use: use.starts)
        newest = [_record(call, endpoint, number, use, now) for number, use in enumerate(begun, 1)][::-1]
        return paged(call, newest, most=_PAGE, top="top")


def _uses(project: Project, endpoint: Endpoint) -> Iterator[_Used]:
    name = endpoint.name_in(project.id)
    if project.id == endpoint.project_ids[0]:
        for use in endpoint.executions:
            yield _Used("Build", (0, use.pipeline), (0, use.pipeline), use.at, use.ends, use.result)
    for pipeline in project.pipelines.values():
        for run in pipeline.runs.values() if _uses_it(pipeline.work, name) else ():
            about = ((pipeline.id, pipeline.name), (run.id, run.name))
            yield _Used("Build", *about, run.queued, run.ends(), run.result)
    for definition in project.definitions.values():
        for release in definition.releases.values():
            about = ((definition.id, definition.name), (release.id, release.name))
            for one in release.deployments:
                if one.starts and _uses_it(one.stage.work, name):
                    ends = one.starts + timedelta(seconds=one.stage.work.seconds)
                    yield _Used("Release", *about, one.starts, ends, _RESULTS.get(one.result, one.result))


def _uses_it(work: Work, name: str | None) -> bool:
    return any(use.endpoint == name for use in work.uses)


def _record(call: Call, endpoint: Endpoint, number: int, use: _Used, now: datetime) -> dict[str, Any]:
    """Return a ServiceEndpointExecutionRecord; one that is under way has neither end nor result."""
    over = {"finishTime": use.ends.isoformat(), "result": use.result} if use.ends <= now else {}
    return {
        "endpointId": endpoint.id,
        "data": {
            "id": number,
            "planType": use.plan,
            "definition": _reference(call, "Definitions", *use.definition),
            "owner": _reference(call, "Builds", *use.owner),
            "startTime": use.starts.isoformat(),
            **over,
        },
    }


def _reference(call: Call, kind: str, number: int, name: str) -> dict[str, Any]:
    url = f"{call.origin}/{call.organization.name}/{call.project.id}/_apis/build/{kind}/{number}"
    return {"_links": {"self": {"href": url}}, "id": number, "name": name}
