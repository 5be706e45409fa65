"""Knows how `variable_groups` of a project in a seed document become variable groups."""

from typing import Any, Literal

import msgspec

from local.azure.azuredevops_call import identity
from local.azure.azuredevops_state import Organization, Project
from local.azure.azuredevops_variable_groups_state import VariableGroup
from local.azure.cloud import Cloud
from local.azure.seeds import parsed


class PasswordOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application's password as a value."""

    password_of: str
    index: int = 0


class VariableSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A variable; a secret's value is kept and never shown."""

    value: str | PasswordOf = ""
    secret: bool = False
    read_only: bool = False
    extra: dict[str, Any] = {}


class GroupSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A variable group. One backed by Key Vault names its vault; the names of its variables are those of secrets."""

    variables: dict[str, VariableSeed] = {}
    type: Literal["Vsts", "AzureKeyVault"] = "Vsts"
    vault: str = ""
    description: str = ""
    shared_with: list[str] = []
    extra: dict[str, Any] = {}


class GroupSeeds:
    """Turns seeds into variable groups."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def plant(self, organization: Organization, owner: Project, groups: dict[str, Any], at: str) -> None:
        """Add groups to a project; a group of the same name keeps its id and is otherwise new."""
        for name, raw in groups.items():
            here = f"{at}.{name}"
            seed = parsed(raw, GroupSeed, here)
            former = next((group for group in owner.groups.values() if group.name == name), None)
            number = former.id if former else organization.next_number("variable group")
            owner.groups[number] = self._group(organization, owner, number, name, seed, here)

    def _group(
        self, organization: Organization, owner: Project, number: int, name: str, seed: GroupSeed, at: str
    ) -> VariableGroup:
        shared = [organization.project(other) for other in seed.shared_with]
        if None in shared:
            raise ValueError(f"{at}.shared_with: got {seed.shared_with}, expected projects of {organization.name}")
        projects = [owner, *(project for project in shared if project is not None)]
        values = {key: self._value(variable, f"{at}.variables.{key}") for key, variable in seed.variables.items()}
        secrets = {key: value for key, value in values.items() if seed.variables[key].secret}
        document = self._document(organization, projects, name, seed)
        document["id"] = number
        document["variables"] = {
            key: _variable(variable, None if key in secrets or seed.vault else values[key])
            for key, variable in seed.variables.items()
        }
        return VariableGroup(number, document, secrets)

    def _value(self, variable: VariableSeed, at: str) -> str:
        if isinstance(variable.value, str):
            return variable.value
        try:
            return self._cloud.directory.password_value(variable.value.password_of, variable.value.index)
        except ValueError as problem:
            raise ValueError(f"{at}: {problem}") from None

    def _document(
        self, organization: Organization, projects: list[Project], name: str, seed: GroupSeed
    ) -> dict[str, Any]:
        creator = identity(self._cloud.url("azuredevops"), organization, organization.id, "Project Administrator")
        now = self._cloud.clock.now().isoformat()
        references = [
            {"projectReference": {"id": p.id, "name": p.name}, "name": name, "description": seed.description}
            for p in projects
        ]
        provider = {"serviceEndpointId": organization.id, "vault": seed.vault, "lastRefreshedOn": now}
        return {
            "type": seed.type,
            "name": name,
            "description": seed.description,
            **({"providerData": provider} if seed.vault else {}),
            "createdBy": creator,
            "createdOn": now,
            "modifiedBy": creator,
            "modifiedOn": now,
            "isShared": len(projects) > 1,
            "variableGroupProjectReferences": references,
            **seed.extra,
        }


def _variable(seed: VariableSeed, value: str | None) -> dict[str, Any]:
    marks = {"isSecret": True} if seed.secret else {}
    return {**marks, **({"isReadOnly": True} if seed.read_only else {}), "value": value, **seed.extra}
