"""Knows who may do what below which scope of the simulated Azure Resource Manager, and how it says no."""

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request

from local.azure.seeds import parsed
from local.azure.wire import Caller, ServiceError

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")

ROLES: dict[str, tuple[str, ...]] = {
    "Reader": ("*/read",),
    "Contributor": ("*",),
    "Storage Account Key Operator Service Role": (
        "Microsoft.Storage/storageAccounts/listkeys/action",
        "Microsoft.Storage/storageAccounts/regeneratekey/action",
    ),
    "Storage Account Contributor": ("Microsoft.Authorization/*/read", "Microsoft.Storage/storageAccounts/*"),
    "Logic App Contributor": (
        "Microsoft.Authorization/*/read",
        "Microsoft.Logic/*",
        "Microsoft.Web/connections/*",
        "Microsoft.Web/sites/functions/listSecrets/action",
        "Microsoft.Web/serverFarms/read",
    ),
    "Website Contributor": (
        "Microsoft.Authorization/*/read",
        "Microsoft.Web/certificates/*",
        "Microsoft.Web/serverFarms/read",
        "Microsoft.Web/sites/*",
    ),
}
"""Actions by role, as far as they concern what is simulated.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles.
"""


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> ServiceError:
    """Return a refusal in the shape of Azure Resource Manager."""
    return ServiceError(status, {"error": {"code": code, "message": message}}, headers)


class RoleSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One role assignment: an identity's or application's name, a role of ROLES, and an ARM id."""

    identity: str
    role: str
    scope: str


@dataclass(frozen=True)
class Assignment:
    """One role assignment."""

    object_id: str
    role: str
    scope: str


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
            found = Assignment(self._cloud.directory.identity(wanted.identity).object_id, wanted.role, wanted.scope)
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
            raise error(
                403,
                "AuthorizationFailed",
                f"The client '{caller.client_id}' with object id '{caller.object_id}' does not have authorization to "
                f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently "
                "granted, please refresh your credentials.",
            )
        return caller

    def allows(self, caller: Caller, action: str, scope: str) -> bool:
        """Tell whether one of the caller's roles at that scope or above includes the action."""
        return any(
            fnmatch.fnmatchcase(action.lower(), pattern.lower())
            for role in self.roles(caller, scope)
            for pattern in ROLES[role]
        )

    def roles(self, caller: Caller, scope: str) -> list[str]:
        """Return the names of the caller's roles at that scope or above."""
        below = f"{scope.lower()}/"
        return [
            a.role
            for a in self.assignments
            if a.object_id == caller.object_id and below.startswith(f"{a.scope.rstrip('/').lower()}/")
        ]

    def permissions(self, caller: Caller, scope: str) -> dict[str, Any]:
        """Return what `Microsoft.Authorization/permissions` answers: one entry for each of the caller's roles."""
        value = [
            {"actions": list(ROLES[role]), "notActions": [], "dataActions": [], "notDataActions": []}
            for role in self.roles(caller, scope)
        ]
        return {"value": value}
