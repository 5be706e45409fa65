"""Knows how the `organizations` part of a seed document becomes organisations, projects and connections."""

from typing import Any, Literal

import msgspec

from local.azure.azuredevops_pipelines_seed import PipelineSeeds
from local.azure.azuredevops_rights import BUILD, GRANTS, LIBRARY, RELEASE
from local.azure.azuredevops_state import ENDPOINTS, Endpoint, Organization, Permission, Project, new_id
from local.azure.azuredevops_variable_groups_seed import GroupSeeds
from local.azure.cloud import Cloud
from local.azure.seeds import mapping, parsed

type Right = Literal[
    "view",
    "use",
    "administer",
    "view-builds",
    "queue-builds",
    "view-releases",
    "create-releases",
    "library-reader",
    "library-user",
    "library-administrator",
]
_SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"


class MemberSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A member: project -> rights, each of which includes the weaker ones of its kind."""

    projects: dict[str, list[Right]] = {}


class EndpointSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service connection that signs in as an application; `key` goes before `password_index`."""

    application: str
    password_index: int = 0
    key: str | None = None
    type: str = "azurerm"
    scheme: str = "ServicePrincipal"
    creation_mode: Literal["Manual", "Automatic"] = "Manual"
    description: str = ""
    shared_with: list[str] = []
    extra: dict[str, Any] = {}
    id: str | None = None


class ProjectSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project and what it owns: connections, variable groups, pipelines, definitions of classic releases."""

    endpoints: dict[str, Any] = {}
    variable_groups: dict[str, Any] = {}
    pipelines: dict[str, Any] = {}
    releases: dict[str, Any] = {}


class OrganizationSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An organisation. `null_key` says what a PUT without key does (not documented): clears, keeps, refuses.

    `null_variable` says the same of a secret variable sent without value: the real service keeps it.
    `delay_seconds` above 0 delays every answer and says so in the rate limit headers.
    """

    members: dict[str, Any] = {}
    projects: dict[str, Any] = {}
    null_key: Literal["clears", "keeps", "refuses"] | None = None
    null_variable: Literal["clears", "keeps", "refuses"] | None = None
    delay_seconds: float | None = None


class OrganizationSeeds:
    """Turns seeds into state; names of identities and applications are looked up in the directory."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._groups = GroupSeeds(cloud)
        self._pipelines = PipelineSeeds(cloud)

    def plant(self, part: Any, organizations: dict[str, Organization]) -> None:
        """Add what a seed names; a ValueError names the field."""
        for name, raw in mapping(part, "organizations").items():
            at = f"organizations.{name}"
            seed = parsed(raw, OrganizationSeed, at)
            organization = organizations.setdefault(name.lower(), Organization(name))
            organization.null_key = seed.null_key or organization.null_key
            organization.null_variable = seed.null_variable or organization.null_variable
            if seed.delay_seconds is not None:
                organization.delay_seconds = seed.delay_seconds
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

    def _connections(self, organization: Organization, owner: Project, seed: ProjectSeed, at: str) -> None:
        for name, body in seed.endpoints.items():
            here = f"{at}.endpoints.{name}"
            endpoint = self._connection(organization, owner, name, parsed(body, EndpointSeed, here), here)
            for former in [e for e in owner.endpoints.values() if e.document["name"] == name]:
                del owner.endpoints[former.id]
            owner.endpoints[endpoint.id] = endpoint

    def _connection(
        self, organization: Organization, owner: Project, name: str, seed: EndpointSeed, at: str
    ) -> Endpoint:
        shared = [organization.project(other) for other in seed.shared_with]
        if None in shared:
            raise ValueError(f"{at}.shared_with: got {seed.shared_with}, expected projects of {organization.name}")
        try:
            application = self._cloud.directory.application(seed.application)
            key = seed.key or self._cloud.directory.password_value(seed.application, seed.password_index)
        except ValueError as problem:
            raise ValueError(f"{at}: {problem}") from None
        projects = [owner, *(project for project in shared if project is not None)]
        document = self._document(organization, projects, name, seed)
        document["authorization"]["parameters"] = {
            "tenantid": self._cloud.tenant,
            "serviceprincipalid": application.app_id,
            "authenticationType": "spnKey",
        }
        return Endpoint(document, {"serviceprincipalkey": key}, document["id"])

    def _document(
        self, organization: Organization, projects: list[Project], name: str, seed: EndpointSeed
    ) -> dict[str, Any]:
        creator = _creator(self._cloud.url("azuredevops"), organization)
        references = [
            {
                "projectReference": {"id": project.id, "name": project.name},
                "name": name,
                "description": seed.description,
            }
            for project in projects
        ]
        now = self._cloud.clock.now().isoformat()
        return {
            "data": {
                "environment": "AzureCloud",
                "scopeLevel": "Subscription",
                "subscriptionId": _SUBSCRIPTION,
                "subscriptionName": "simulated subscription",
                "creationMode": seed.creation_mode,
            },
            "id": (seed.id or new_id()).lower(),
            "name": name,
            "type": seed.type,
            "url": "https://management.azure.com/",
            "createdBy": creator,
            "description": seed.description,
            "authorization": {"parameters": {}, "scheme": seed.scheme},
            "isShared": len(projects) > 1,
            "isReady": True,
            "isOutdated": False,
            "isDisabled": False,
            "creationDate": now,
            "modificationDate": now,
            "modifiedBy": creator,
            "operationStatus": {"state": "Ready", "statusMessage": ""},
            "owner": "library",
            "serviceEndpointProjectReferences": references,
            **seed.extra,
        }


def _creator(origin: str, organization: Organization) -> dict[str, Any]:
    """Return the identity reference of whoever made the connection, as the examples of the specification have it."""
    url = f"{origin}/{organization.name}/_apis/Identities/{organization.id}"
    return {
        "displayName": "Project Administrator",
        "url": url,
        "_links": {"avatar": {"href": f"{url}/avatar"}},
        "id": organization.id,
        "uniqueName": f"administrator@{organization.name}.example",
        "imageUrl": f"{url}/avatar",
        "descriptor": f"aad.{organization.id}",
    }
