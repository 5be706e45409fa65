"""Knows how the `organizations` part of a seed document becomes organisations, projects and connections."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from local.azure.azuredevops_endpoint_seed import EndpointSeed, EndpointSeeds
from local.azure.azuredevops_guards_seed import GuardSeeds
from local.azure.azuredevops_limits import RateLimit
from local.azure.azuredevops_pipelines_seed import PipelineSeeds
from local.azure.azuredevops_rights import BUILD, GRANTS, LIBRARY, RELEASE
from local.azure.azuredevops_state import ENDPOINTS, Organization, Permission, Project
from local.azure.azuredevops_variable_groups_seed import GroupSeeds
from local.azure.cloud import Cloud
from local.azure.seeds import mapping, parsed

type Right = Literal[
    "view",
    "use",
    "create",
    "administer",
    "view-builds",
    "queue-builds",
    "view-releases",
    "create-releases",
    "library-reader",
    "library-user",
    "library-administrator",
]


class MemberSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member: project -> rights, each of which includes the weaker ones of its kind."""

    projects: dict[str, list[Right]] = {}


class ProjectSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project and what it owns: connections, variable groups, pipelines, definitions of classic releases."""

    endpoints: dict[str, Any] = {}
    variable_groups: dict[str, Any] = {}
    pipelines: dict[str, Any] = {}
    releases: dict[str, Any] = {}


class LimitSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many requests of a caller in `seconds` pass before answers say to wait; twice as many are refused."""

    requests: Annotated[int, Meta(ge=1)]
    seconds: Annotated[float, Meta(gt=0)] = 300.0


class OrganizationSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An organisation. `null_key` says what a PUT without key does (not documented): clears, keeps, refuses.

    `null_variable` says the same of a secret variable sent without value: the real service keeps it.
    `conversion` says whether a connection made by hand is converted at once, or only when Entra trusts it: then it is
    refused in the API's words or in the portal's. `reverts` says which conversions can be reverted.
    `delay_seconds` above 0 delays every answer and says so in the rate limit headers.
    """

    members: dict[str, Any] = {}
    projects: dict[str, Any] = {}
    null_key: Literal["clears", "keeps", "refuses"] | None = None
    null_variable: Literal["clears", "keeps", "refuses"] | None = None
    conversion: Literal["at-once", "checks", "checks-as-the-portal"] | None = None
    reverts: Literal["all", "automatic"] | None = None
    delay_seconds: float | None = None
    limit: LimitSeed | None = None


class OrganizationSeeds:
    """Turns seeds into state; names of identities and applications are looked up in the directory."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._endpoints = EndpointSeeds(cloud)
        self._groups = GroupSeeds(cloud)
        self._guards = GuardSeeds(cloud)
        self._pipelines = PipelineSeeds(cloud)

    def plant(self, part: Any, organizations: dict[str, Organization]) -> None:
        """Add what a seed names; a ValueError names the field."""
        for name, raw in mapping(part, "organizations").items():
            at = f"organizations.{name}"
            seed = parsed(raw, OrganizationSeed, at)
            organization = organizations.setdefault(name.lower(), Organization(name))
            _behave(organization, seed)
            for project in seed.projects:
                organization.projects.setdefault(project.lower(), Project(project))
            for project, body in seed.projects.items():
                self._project(organization, project, body, f"{at}.projects.{project}")
            for member, body in seed.members.items():
                self._member(organization, member, body, f"{at}.members")

    def _member(self, organization: Organization, name: str, raw: Any, at: str) -> None:
        seed = parsed(raw, MemberSeed, f"{at}.{name}")
        granted = organization.members.setdefault(self._object_id(name, at), {})
        for project, rights in seed.projects.items():
            if organization.project(project) is None:
                known = sorted(p.name for p in organization.projects.values())
                raise ValueError(f"{at}.{name}.projects: got {project!r}, expected one of {known}")
            bits = dict.fromkeys((ENDPOINTS, BUILD, RELEASE, LIBRARY), 0)
            for namespace, some in (GRANTS[right] for right in rights):
                bits[namespace] |= some
            granted[project.lower()] = Permission(bits.pop(ENDPOINTS))
            for namespace, some in bits.items():
                organization.granted[self._object_id(name, at), project.lower(), namespace] = some

    def _object_id(self, name: str, at: str) -> str:
        directory = self._cloud.directory
        if name in directory.identities:
            return directory.identities[name].object_id
        if name in directory.applications and (principal := directory.applications[name].service_principal):
            return principal
        known = sorted([*directory.identities, *directory.applications])
        raise ValueError(f"{at}: got {name!r}, expected the name of a seeded identity or application: {known}")

    def _project(self, organization: Organization, project: str, raw: Any, at: str) -> None:
        owner, seed = organization.projects[project.lower()], parsed(raw, ProjectSeed, at)
        self._connections(organization, owner, seed, at)
        self._groups.plant(organization, owner, seed.variable_groups, f"{at}.variable_groups")
        self._pipelines.plant(organization, owner, seed.pipelines, f"{at}.pipelines")
        self._pipelines.plant_definitions(organization, owner, seed.releases, f"{at}.releases")
        for name, body in seed.endpoints.items():
            here = f"{at}.endpoints.{name}"
            self._guards.plant(organization, owner, name, parsed(body, EndpointSeed, here), here)

    def _connections(self, organization: Organization, owner: Project, seed: ProjectSeed, at: str) -> None:
        for name, body in seed.endpoints.items():
            here = f"{at}.endpoints.{name}"
            endpoint = self._endpoints.connection(organization, owner, name, parsed(body, EndpointSeed, here), here)
            for former in [e for e in owner.endpoints.values() if e.document["name"] == name]:
                del owner.endpoints[former.id]
            owner.endpoints[endpoint.id] = endpoint


def _behave(organization: Organization, seed: OrganizationSeed) -> None:
    """Let an organisation behave as a seed says; what it doesn't say stays as it is."""
    for name in ("null_key", "null_variable", "conversion", "reverts", "delay_seconds"):
        wanted = getattr(seed, name)
        if wanted is not None:
            setattr(organization, name, wanted)
    if seed.limit:
        organization.limit = RateLimit(seed.limit.requests, seed.limit.seconds)
