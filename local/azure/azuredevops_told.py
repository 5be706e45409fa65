"""Knows what is told about the simulated organisations: their ids after a seed, everything for whoever judges."""

from collections.abc import Mapping
from typing import Any

from local.azure.azuredevops_guards_state import Permitted
from local.azure.azuredevops_pipelines_state import Pipeline
from local.azure.azuredevops_releases_state import Definition
from local.azure.azuredevops_state import Endpoint, Organization, Project
from local.azure.azuredevops_variable_groups_state import VariableGroup


def seeded(organizations: Mapping[str, Organization]) -> dict[str, Any]:
    """Return the ids of projects, and of what they own by name."""
    return {
        organization.name: {project.name: _ids(project) for project in organization.projects.values()}
        for organization in organizations.values()
    }


def told(organizations: Mapping[str, Organization]) -> dict[str, Any]:
    """Return everything, stored secrets included."""
    return {
        organization.name: {"projects": {project.name: _project(project) for project in organization.projects.values()}}
        for organization in organizations.values()
    }


def _ids(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "endpoints": {e.document["name"]: e.id for e in project.endpoints.values()},
        "variable_groups": {group.name: group.id for group in project.groups.values()},
        "pipelines": {pipeline.name: pipeline.id for pipeline in project.pipelines.values()},
        "releases": {definition.name: definition.id for definition in project.definitions.values()},
    }


def _project(project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "endpoints": {e.document["name"]: _endpoint(e) for e in project.endpoints.values()},
        "variable_groups": {group.name: _group(group) for group in project.groups.values()},
        "pipelines": {p.name: _pipeline(p) for p in project.pipelines.values()},
        "releases": {d.name: _definition(d) for d in project.definitions.values()},
        "checks": {str(number): check.document for number, check in project.checks.items()},
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    updates = [{"by": u.by, "at": u.at.isoformat(), "key_changed": u.key_changed} for u in endpoint.updates]
    return {
        "id": endpoint.id,
        "document": endpoint.document,
        "secrets": endpoint.secrets,
        "updates": updates,
        "permitted": {project_id: _permitted(one) for project_id, one in endpoint.permitted.items()},
    }


def _permitted(permitted: Permitted) -> dict[str, Any]:
    return {"all": permitted.everyone is not None, "pipelines": sorted(permitted.pipelines)}


def _group(group: VariableGroup) -> dict[str, Any]:
    return {"id": group.id, "document": group.document, "secrets": group.secrets, "updates": group.updates}


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    runs = [
        {"id": run.id, "branch": run.branch, "queued": run.queued.isoformat(), "result": run.result, "by": run.by}
        for run in pipeline.runs.values()
    ]
    return {"id": pipeline.id, "status": pipeline.status, "runs": runs}


def _definition(definition: Definition) -> dict[str, Any]:
    releases = [
        {
            "id": release.id,
            "created": release.created.isoformat(),
            "description": release.description,
            "by": release.by,
            "stages": {one.stage.name: one.result if one.starts else "notStarted" for one in release.deployments},
        }
        for release in definition.releases.values()
    ]
    return {"id": definition.id, "releases": releases}
