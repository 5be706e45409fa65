"""Knows how an endpoint of a seed document says which pipelines may use the connection, and what checks it has."""

from local.azure.azuredevops_checks import Kind, Resource, Wanted, added
from local.azure.azuredevops_endpoint_seed import EndpointSeed, administrator
from local.azure.azuredevops_guards_state import Grant, Permitted
from local.azure.azuredevops_state import Organization, Project
from local.azure.cloud import Cloud
from local.azure.wire import ServiceError


class GuardSeeds:
    """Turns seeds into pipeline permissions and checks; pipelines are looked up by name."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def plant(self, organization: Organization, project: Project, name: str, seed: EndpointSeed, at: str) -> None:
        """Guard a connection of a project; a ValueError names the field that doesn't fit."""
        endpoint = next(one for one in project.endpoints.values() if one.document["name"] == name)
        by = administrator(self._cloud, organization)
        grant, ids = Grant(by, self._cloud.clock.now()), {one.name: one.id for one in project.pipelines.values()}
        for pipeline in seed.pipelines:
            if pipeline not in ids:
                raise ValueError(f"{at}.pipelines: got {pipeline!r}, expected some of {sorted(ids)}")
        granted = {ids[pipeline]: grant for pipeline in seed.pipelines}
        endpoint.permitted[project.id] = Permitted(grant if seed.all_pipelines else None, granted)
        for number, one in enumerate(seed.checks):
            wanted = Wanted(
                Kind(name=one.type), Resource("endpoint", endpoint.id), one.settings, one.timeout, one.disabled
            )
            try:
                added(self._cloud, organization, project, endpoint, wanted, by)
            except ServiceError as problem:
                raise ValueError(f"{at}.checks.{number}: {problem.body['message']}") from None
