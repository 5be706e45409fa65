"""Knows what the simulated organisations hold: members and their rights, projects, service connections, keys."""

import uuid
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag
from typing import Any

from local.azure.azuredevops_guards_state import Check, Permitted
from local.azure.azuredevops_limits import RateLimit
from local.azure.azuredevops_pipelines_state import Pipeline
from local.azure.azuredevops_releases_state import Definition
from local.azure.azuredevops_variable_groups_state import VariableGroup

ENDPOINTS = "49b48001-ca20-4adc-8111-5b60c903a50c"
"""The security namespace ServiceEndpoints."""

SECRET_PARAMETERS = frozenset(
    {"serviceprincipalkey", "serviceprincipalcertificate", "publishprofile", "password", "apitoken", "accesstoken"}
)
"""Authorization parameters (lower case) that are kept, used, and never shown."""

_FEDERATED = "WorkloadIdentityFederation"
"""How the scheme begins, and the parameters that others only announce."""

FIELDS_OF_7_2 = frozenset({"isDisabled", "isOutdated", "creationDate", "modificationDate", "modifiedBy"})


def new_id() -> str:
    """Return a new object id."""
    return str(uuid.uuid4())


class Permission(IntFlag):
    """The bits of the security namespace ServiceEndpoints."""

    NONE = 0
    USE = 1
    ADMINISTER = 2
    CREATE = 4
    VIEW_AUTHORIZATION = 8
    VIEW = 16
    ALL = 31


@dataclass(frozen=True)
class Update:
    """One PUT that was accepted; `key_changed` tells whether the stored secrets differ from before."""

    by: str
    at: datetime
    key_changed: bool


@dataclass(frozen=True)
class Execution:
    """One use of a connection by a pipeline that isn't simulated."""

    pipeline: str
    at: datetime
    ends: datetime
    result: str


@dataclass
class Endpoint:
    """A service connection: `document` is what callers see, without the secrets."""

    document: dict[str, Any]
    secrets: dict[str, str]
    id: str = field(default_factory=new_id)
    updates: list[Update] = field(default_factory=list)
    executions: tuple[Execution, ...] = ()
    former: tuple[dict[str, Any], dict[str, str]] | None = None
    """What it signed in with before it was converted, authorization and secrets: the conversion can be reverted."""
    creator: str = ""
    """Object id of who made it over the API, who is an administrator of it."""
    permitted: dict[str, Permitted] = field(default_factory=dict)
    """The pipelines that may use it, by project id."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The visible authorization parameters."""
        parameters: dict[str, Any] = self.document["authorization"].setdefault("parameters", {})
        return parameters

    @property
    def project_ids(self) -> list[str]:
        """The projects that have this connection, the owning one first."""
        references = self.document["serviceEndpointProjectReferences"]
        return [reference["projectReference"]["id"] for reference in references]

    def name_in(self, project_id: str) -> str | None:
        """Return the connection's name in a project; None where the project doesn't have it."""
        for reference in self.document["serviceEndpointProjectReferences"]:
            if reference["projectReference"]["id"] == project_id:
                return str(reference.get("name") or self.document["name"])
        return None

    def shown(self, project_id: str | None, *, preview: bool) -> dict[str, Any]:
        """Return the connection as a caller gets it: secrets are null; 7.2 has a few fields more."""
        shown = deepcopy(self.document)
        shown["authorization"]["parameters"] |= dict.fromkeys(self.secrets)
        shown["name"] = (self.name_in(project_id) if project_id else None) or shown["name"]
        return shown if preview else {k: v for k, v in shown.items() if k not in FIELDS_OF_7_2}

    def sign_in_parameters(self, override: dict[str, Any] | None = None) -> dict[str, str]:
        """Return what the connection signs in with; given parameters go before the stored ones, nulls don't."""
        merged = {**self.parameters, **self.secrets, **{k: v for k, v in (override or {}).items() if v is not None}}
        given = {name.lower(): str(value) for name, value in merged.items() if value is not None}
        if self.document["authorization"]["scheme"].startswith(_FEDERATED):
            return given
        return {name: value for name, value in given.items() if not name.startswith(_FEDERATED.lower())}


@dataclass
class Project:
    """One team project."""

    name: str
    id: str = field(default_factory=new_id)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    """Those this project owns, by id."""
    groups: dict[int, VariableGroup] = field(default_factory=dict)
    pipelines: dict[int, Pipeline] = field(default_factory=dict)
    definitions: dict[int, Definition] = field(default_factory=dict)
    """Of classic releases."""
    checks: dict[int, Check] = field(default_factory=dict)


@dataclass
class Organization:
    """One organisation; `members` maps object id -> project name -> rights on connections. Names are lower case.

    `granted` has the bits of other security namespaces by object id, project name and namespace.
    `null_key` and `null_variable` say what a PUT does with a secret that it doesn't carry, `conversion` whether a
    connection made by hand is converted before Entra trusts it, `reverts` which conversions can be reverted.
    """

    name: str
    id: str = field(default_factory=new_id)
    null_key: str = "clears"
    null_variable: str = "keeps"
    conversion: str = "at-once"
    reverts: str = "all"
    delay_seconds: float = 0.0
    limit: RateLimit | None = None
    members: dict[str, dict[str, Permission]] = field(default_factory=dict)
    granted: dict[tuple[str, str, str], int] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def next_number(self, kind: str) -> int:
        """Return the next id of a kind of thing that is numbered through the whole organisation."""
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        return self.numbers[kind]

    def project(self, name_or_id: str) -> Project | None:
        """Return a project by name (any case) or id."""
        wanted = name_or_id.lower()
        by_id = (project for project in self.projects.values() if project.id == wanted)
        return self.projects.get(wanted) or next(by_id, None)

    def sees(self, object_id: str, project: Project) -> bool:
        """Tell whether a member may know of a project."""
        return project.name.lower() in self.members.get(object_id, {})

    def existing(self, name_or_id: str) -> Project:
        """Return a project that is known to be there."""
        project = self.project(name_or_id)
        assert project is not None  # noqa: S101 - whoever calls has looked
        return project

    def rights(self, object_id: str, project_id: str, endpoint: Endpoint | None = None) -> Permission:
        """Return what a member may do with the connections of a project, or with one of them there."""
        project = self.project(project_id)
        granted = self.members.get(object_id, {})
        if project and endpoint and endpoint.creator == object_id and self.sees(object_id, project):
            return Permission.ALL
        return granted.get(project.name.lower(), Permission.NONE) if project else Permission.NONE

    def bits(self, object_id: str, project: Project, namespace: str) -> int:
        """Return what a member may do in a project, as bits of a security namespace."""
        if namespace == ENDPOINTS:
            return self.rights(object_id, project.id)
        return self.granted.get((object_id, project.name.lower(), namespace), 0)

    def groups_in(self, project: Project) -> list[VariableGroup]:
        """Return the variable groups a project has, its own and those shared with it."""
        every = (group for owner in self.projects.values() for group in owner.groups.values())
        return [group for group in every if project.id in group.project_ids]

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """Return a connection by id, whichever project owns it."""
        found = (project.endpoints.get(endpoint_id.lower()) for project in self.projects.values())
        return next((endpoint for endpoint in found if endpoint is not None), None)

    def remove(self, endpoint: Endpoint, project_ids: list[str]) -> None:
        """Take a connection away from projects; the first of those that are left owns it."""
        del self.existing(endpoint.project_ids[0]).endpoints[endpoint.id]
        references = endpoint.document["serviceEndpointProjectReferences"]
        left = [one for one in references if one["projectReference"]["id"] not in project_ids]
        endpoint.document |= {"serviceEndpointProjectReferences": left, "isShared": len(left) > 1}
        for project in map(self.existing, project_ids):
            endpoint.permitted.pop(project.id, None)
            project.checks = {number: one for number, one in project.checks.items() if one.endpoint != endpoint.id}
        if left:
            self.existing(endpoint.project_ids[0]).endpoints[endpoint.id] = endpoint

    def endpoints_in(self, project: Project) -> list[Endpoint]:
        """Return the connections a project has, its own and those shared with it."""
        every = (endpoint for owner in self.projects.values() for endpoint in owner.endpoints.values())
        return [endpoint for endpoint in every if project.id in endpoint.project_ids]


def split_secrets(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a connection without its secrets, and the secrets as given: absent ones are not there, nulls are."""
    visible = deepcopy(document)
    parameters = visible["authorization"].get("parameters") or {}
    secrets = {name: value for name, value in parameters.items() if name.lower() in SECRET_PARAMETERS}
    visible["authorization"]["parameters"] = {k: v for k, v in parameters.items() if k not in secrets}
    return visible, secrets
