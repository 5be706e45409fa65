"""Knows how role assignments are written in requests and answers of Azure Resource Manager, and in their filters."""

import re
import uuid
from typing import Any, Literal

import msgspec

from local.azure.arm_access import ASSIGNMENTS, Assignment, error
from local.azure.arm_condition import Condition
from local.azure.arm_roles import by_id, definition_id

_DEFINITION = re.compile(r"(?i)(?:/subscriptions/[^/]+)?/providers/Microsoft\.Authorization/roleDefinitions/([^/]+)")
_AT_SCOPE = re.compile(r"(?i)atScope\(\)")
_OF_PRINCIPAL = re.compile(r"(?i)(?:principalId eq '?|assignedTo\(')([0-9a-f-]{36})'?\)?")


class Wanted(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The properties of a role assignment that is asked for."""

    role_definition_id: str
    principal_id: str
    principal_type: Literal["User", "Group", "ServicePrincipal", "ForeignGroup", "Device"] | None = None
    description: str | None = None
    condition: str | None = None
    condition_version: Literal["2.0"] | None = None


def wanted(raw: bytes) -> Wanted:
    """Return what a request's body asks for, or its 400."""
    try:
        return msgspec.json.decode(raw, type=dict[str, Wanted])["properties"]
    except (msgspec.MsgspecError, KeyError) as problem:
        message = f"The request content was invalid and could not be deserialized: '{problem}'."
        raise error(400, "InvalidRequestContent", message) from None


def shown(one: Assignment) -> dict[str, Any]:
    """Return a role assignment as the service answers it."""
    made = one.created and f"{one.created:%Y-%m-%dT%H:%M:%S.%f}0Z"
    return {
        "properties": {
            "roleDefinitionId": definition_id(one.role, one.scope),
            "principalId": one.object_id,
            "principalType": one.principal_type,
            "scope": one.scope,
            "condition": one.condition and one.condition.text,
            "conditionVersion": one.condition and "2.0",
            "createdOn": made,
            "updatedOn": made,
            "createdBy": one.by,
            "updatedBy": one.by,
            "delegatedManagedIdentityResourceId": None,
            "description": one.description,
        },
        "id": f"{one.scope.rstrip('/')}/providers/{ASSIGNMENTS}/{one.name}",
        "type": ASSIGNMENTS,
        "name": one.name,
    }


def told(one: Assignment) -> dict[str, Any]:
    """Return a role assignment for the state."""
    limit = one.condition and one.condition.text
    return {"object_id": one.object_id, "role": one.role, "scope": one.scope, "condition": limit, "by": one.by}


def wanted_name(text: str) -> str:
    """Return an assignment's name as it is kept; anything but a GUID is a 400."""
    if not _is_guid(text):
        message = f"The role assignment ID '{text}' is not valid. The role assignment ID must be a GUID."
        raise error(400, "InvalidRoleAssignmentId", message)
    return text.lower()


def role_of(definition: str) -> str:
    """Return the name of the role that a definition's ARM id means."""
    named = _DEFINITION.fullmatch(definition)
    if named is None:
        message = f"The role definition ID '{definition}' is not valid. The role definition ID must be a GUID."
        raise error(400, "InvalidRoleDefinitionId", message)
    if (role := by_id(named[1])) is None:
        message = f"The specified role definition with ID '{named[1].replace('-', '')}' does not exist."
        raise error(404, "RoleDefinitionDoesNotExist", message)
    return role


def condition_of(body: Wanted) -> Condition | None:
    """Return the condition that is asked for; one that isn't evaluated here is a 400."""
    try:
        return None if body.condition is None else Condition.parsed(body.condition)
    except ValueError as problem:
        raise error(400, "InvalidCondition", f"The simulated Azure knows no such condition: {problem}.") from None


def filtering(text: str) -> tuple[bool, str | None]:
    """Return whether only assignments at or above the scope are wanted, and of which principal; 400 for other ones."""
    above_only, principal = False, None
    for part in filter(None, re.split(r"(?i)\s+and\s+", text.strip())):
        if _AT_SCOPE.fullmatch(part):
            above_only = True
        elif found := _OF_PRINCIPAL.fullmatch(part):
            principal = found[1].lower()
        else:
            raise error(400, "UnsupportedQuery", f"The filter '{text}' is not supported.")
    return above_only, principal


def _is_guid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
