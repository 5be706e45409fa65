"""Knows role assignments and role definitions of Azure, as Azure Resource Manager has them.

https://learn.microsoft.com/rest/api/authorization. Lists lag writes; a new assignment counts after minutes.
"""

import re
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from rekey.errors import InputError, NotYetError, PermanentError, RekeyError
from rekey.federation_settings import READER, REFUSED
from rekey.resource_manager import ResourceManager
from rekey.settings import GUID

if TYPE_CHECKING:
    from rekey.clients import Clients

API = "2022-04-01"
ROLE = "Role Based Access Control Administrator"
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
_NAMES = uuid.UUID("5d2f1c0e-6f0b-4c0c-9a55-0a6f7b0f3b1d")
"""Of our own: what is made of it is nobody else's."""
_SUBSCRIPTION = re.compile(rf"(?i)/subscriptions/{GUID.pattern}")
_QUOTABLE = re.compile(r"[\w .,:()/&+-]{1,128}")

BUILT_IN = {
    "reader": READER,
    "contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "website contributor": "de139f84-1756-47ae-9be6-808fbbe84772",
    "storage blob data contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "storage blob data reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "acrpush": "8311e382-0749-4cb8-b61a-304f252e45ec",
    "acrpull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "key vault secrets user": "4633458b-17de-408a-b874-0445c86b69e6",
    **{name.lower(): guid for guid, name in REFUSED.items()},
}
"""Role definitions (GUIDs) by name in lower case: those that pipelines need most, and those that nobody gets.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
"""


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """Who (`principal`, an object id) has which role definition (GUID) where; a `condition` narrows it."""

    scope: str
    role: str
    principal: str
    id: str = ""
    description: str = ""
    condition: str = ""
    condition_version: str = ""

    def same(self, other: "Assignment") -> bool:
        """Tell whether it gives the same to the same."""
        return (self.scope.lower(), self.role, self.principal) == (other.scope.lower(), other.role, other.principal)


class RoleAssignments:
    """The role assignments at and below ARM ids that settings allow: whoever calls has checked that."""

    def __init__(self, clients: "Clients") -> None:
        self._arm = ResourceManager(clients)

    async def of(self, principal: str, scope: str) -> tuple[Assignment, ...]:
        """Return what a principal has at a scope, above and below it, by groups too."""
        query = {"$filter": f"assignedTo('{principal}')"}
        found = await self._arm.listed(f"{scope}{ASSIGNMENTS}", API, role=ROLE, query=query)
        return tuple(_assignment(one) for one in found)

    async def assign(self, wanted: Assignment, path: str) -> bool:
        """Give a role by an assignment of that ARM id; False if the principal has it there by another one."""
        try:
            await self._arm.write("PUT", path, API, _body(wanted), role=ROLE)
        except RekeyError as error:
            if error.service_code == "RoleAssignmentExists":
                return await self._is_there(path, wanted)
            if error.service_code == "PrincipalNotFound":
                raise NotYetError("principal-not-known", f"{path}: Azure doesn't know {wanted.principal} yet") from None
            raise
        return True

    async def remove(self, assignment_id: str) -> bool:
        """Take a role assignment away; return whether it was there."""
        try:
            return (await self._arm.write("DELETE", assignment_id, API, role=ROLE)).status == 200
        except PermanentError as error:
            if error.code != "not-found":
                raise
            return False

    async def definition(self, role: str, scope: str) -> str:
        """Return the GUID of the role definition of that name (or GUID) at a scope; InputError if there is none."""
        if GUID.fullmatch(role):
            return role.lower()
        if known := BUILT_IN.get(role.lower()):
            return known
        if not _QUOTABLE.fullmatch(role):
            raise InputError("role", role, "a role's name, or the GUID of its definition")
        query = {"$filter": f"roleName eq '{role}'"}
        found = await self._arm.listed(f"{scope}{DEFINITIONS}", API, role=ROLE, query=query)
        guids = {str(one.get("name") or "").lower() for one in found}
        if len(guids) != 1:
            raise InputError("role", role, f"the name of one role that can be assigned at {scope}, or its GUID")
        return guids.pop()

    async def _is_there(self, path: str, wanted: Assignment) -> bool:
        try:
            found = await self._arm.get(path, API, role=ROLE)
        except PermanentError as error:
            if error.code != "not-found":
                raise
            return False
        return _assignment(found.body or {}).same(wanted)


def assignment_id(federation_id: str, wanted: Assignment) -> str:
    """Return the ARM id that an assignment has if a walk makes it, the same whenever it is asked for."""
    parts = (federation_id, wanted.principal, wanted.role, wanted.scope.lower())
    return f"{wanted.scope}{ASSIGNMENTS}/{uuid.uuid5(_NAMES, '|'.join(parts))}"


def _body(wanted: Assignment) -> dict[str, Any]:
    within = _SUBSCRIPTION.match(wanted.scope)
    said = {
        "roleDefinitionId": f"{within.group() if within else ''}{DEFINITIONS}/{wanted.role}",
        "principalId": wanted.principal,
        "principalType": "ServicePrincipal",
        "description": wanted.description,
        "condition": wanted.condition,
        "conditionVersion": wanted.condition_version,
    }
    return {"properties": {name: value for name, value in said.items() if value}}


def _assignment(found: dict[str, Any]) -> Assignment:
    said = found.get("properties") or {}
    return Assignment(
        id=str(found.get("id") or ""),
        scope=str(said.get("scope") or ""),
        role=str(said.get("roleDefinitionId") or "").rpartition("/")[2].lower(),
        principal=str(said.get("principalId") or "").lower(),
        description=str(said.get("description") or ""),
        condition=str(said.get("condition") or ""),
        condition_version=str(said.get("conditionVersion") or ""),
    )
