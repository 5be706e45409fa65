"""Knows who may do what below which scope of the simulated Azure Resource Manager, and how it says no."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request

from local.azure.arm_condition import Condition
from local.azure.arm_roles import ROLES, covers, id_of, permission
from local.azure.seeds import parsed
from local.azure.wire import Caller, ServiceError

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> ServiceError:
    """Return a refusal in the shape of Azure Resource Manager."""
    return ServiceError(status, {"error": {"code": code, "message": message}}, headers)


class RoleSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One role assignment: an identity's or application's name, a role of ROLES, an ARM id, maybe a condition."""

    identity: str
    role: str
    scope: str
    condition: str | None = None


@dataclass(frozen=True)
class Assignment:
    """One role assignment; `effective` is when it begins to count, `created` and `by` when and by whom it was made."""

    object_id: str
    role: str
    scope: str
    condition: Condition | None = None
    principal_type: str = field(default="ServicePrincipal", compare=False)
    name: str = field(default_factory=lambda: str(uuid.uuid4()), compare=False)
    description: str | None = field(default=None, compare=False)
    created: datetime | None = field(default=None, compare=False)
    by: str | None = field(default=None, compare=False)
    effective: datetime | None = field(default=None, compare=False)

    def reaches(self, scope: str) -> bool:
        """Tell whether it counts at that scope: it was made there or above."""
        return f"{scope.lower().rstrip('/')}/".startswith(f"{self.scope.rstrip('/').lower()}/")

    def allows(self, action: str, wanted: "Assignment | None") -> bool:
        """Tell whether it allows an action; of an assignment that is `wanted` or to go, only within its condition."""
        if wanted is None or self.condition is None:
            return covers(self.role, action)
        operation = action.rpartition("/")[2]
        return covers(self.role, action) and self.condition.allows(operation, id_of(wanted.role), wanted.principal_type)


class Access:
    """The role assignments of all subscriptions."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self.assignments: list[Assignment] = []

    def seed(self, document: dict[str, Any]) -> None:
        """Take the part `role_assignments`; a ValueError names field and value."""
        for number, part in enumerate(document.get("role_assignments", ())):
            where = f"role_assignments.{number}"
            wanted = parsed(part, RoleSeed, where)
            if wanted.role not in ROLES:
                raise ValueError(f"{where}.role: got {wanted.role!r}, expected one of {sorted(ROLES)}")
            limited = _condition(wanted.condition, f"{where}.condition")
            found = Assignment(self._principal(wanted.identity), wanted.role, wanted.scope, limited)
            if found not in self.assignments:
                self.assignments.append(found)

    def revoke(self, role: str) -> None:
        """Take a role away from everybody."""
        self.assignments = [a for a in self.assignments if a.role != role]

    def caller(self, request: Request) -> Caller:
        """Return who calls, with a token for Azure Resource Manager and an api-version; else its 401 or 400."""
        try:
            caller = self._cloud.authenticate(request, (*AUDIENCES, self._cloud.url("management")))
        except ValueError as reason:
            raise error(
                401,
                "AuthenticationFailed",
                f"Authentication failed. {reason}.",
                {"WWW-Authenticate": f'Bearer authorization_uri="{self._cloud.url("login")}/{self._cloud.tenant}"'},
            ) from None
        if not request.query_params.get("api-version"):
            raise error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        return caller

    def require(self, request: Request, action: str, scope: str) -> Caller:
        """Return who calls; the 403 AuthorizationFailed unless a role there or above allows the action."""
        caller = self.caller(request)
        if not self.allows(caller, action, scope):
            raise self._refused(caller, action, scope, "does not have authorization")
        return caller

    def require_assigning(self, caller: Caller, operation: str, about: Assignment) -> None:
        """Refuse whoever may not `write` or `delete` this assignment, or may so only within a condition."""
        action, held = f"{ASSIGNMENTS}/{operation}", self._held(caller, about.scope)
        if any(one.allows(action, about) for one in held):
            return
        limited = any(one.allows(action, None) for one in held)
        words = "has an authorization with ABAC condition that is not fulfilled" if limited else None
        raise self._refused(caller, action, about.scope, words or "does not have authorization")

    def allows(self, caller: Caller, action: str, scope: str) -> bool:
        """Tell whether one of the caller's roles at that scope or above includes the action."""
        return any(one.allows(action, None) for one in self._held(caller, scope))

    def roles(self, caller: Caller, scope: str) -> list[str]:
        """Return the names of the caller's roles at that scope or above."""
        return [one.role for one in self._held(caller, scope)]

    def permissions(self, caller: Caller, scope: str) -> dict[str, Any]:
        """Return what `Microsoft.Authorization/permissions` answers: one entry for each of the caller's roles."""
        return {"value": [permission(role) for role in self.roles(caller, scope)]}

    def _held(self, caller: Caller, scope: str) -> list[Assignment]:
        now = self._cloud.clock.now()
        return [
            one
            for one in self.assignments
            if one.object_id == caller.object_id
            and one.reaches(scope)
            and (one.effective is None or one.effective <= now)
        ]

    def _principal(self, name: str) -> str:
        directory = self._cloud.directory
        if name in directory.identities or name not in directory.applications:
            return directory.identity(name).object_id
        found = directory.application(name)
        return found.service_principal or found.object_id

    def _refused(self, caller: Caller, action: str, scope: str, words: str) -> ServiceError:
        return error(
            403,
            "AuthorizationFailed",
            f"The client '{caller.client_id}' with object id '{caller.object_id}' {words} to "
            f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently "
            "granted, please refresh your credentials.",
        )


def _condition(text: str | None, where: str) -> Condition | None:
    try:
        return None if text is None else Condition.parsed(text)
    except ValueError as problem:
        raise ValueError(f"{where}: {problem}") from None
