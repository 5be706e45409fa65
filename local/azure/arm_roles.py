"""Knows the built-in roles of the simulated Azure Resource Manager: what each allows, and its definition's GUID.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles. Actions are told as far as they
concern what is simulated.
"""

import fnmatch
import uuid
from typing import Any

ROLES: dict[str, tuple[str, ...]] = {
    "Reader": ("*/read",),
    "Contributor": ("*",),
    "Owner": ("*",),
    "User Access Administrator": ("*/read", "Microsoft.Authorization/*"),
    "Role Based Access Control Administrator": (
        "Microsoft.Authorization/roleAssignments/write",
        "Microsoft.Authorization/roleAssignments/delete",
        "*/read",
    ),
    "Managed Identity Contributor": (
        "Microsoft.ManagedIdentity/userAssignedIdentities/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/write",
        "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
        "Microsoft.Authorization/*/read",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    ),
    "Managed Identity Federated Identity Credential Contributor": (
        "Microsoft.ManagedIdentity/userAssignedIdentities/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
        "Microsoft.Authorization/*/read",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    ),
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
"""Actions by role."""

_NOT_ACTIONS: dict[str, tuple[str, ...]] = {
    "Contributor": (
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ),
}

_IDS = {
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "Managed Identity Contributor": "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
    "Managed Identity Federated Identity Credential Contributor": "7e559ce2-48d7-4b27-9128-fa1b247f1308",
    "Storage Account Key Operator Service Role": "81a9662b-bebf-436f-a333-f67b29880f12",
    "Storage Account Contributor": "17d1049b-9a84-46fb-8f53-869881c3d3ab",
    "Logic App Contributor": "87a39d53-fc1b-424a-814c-f7e04687dc9e",
    "Website Contributor": "de139f84-1756-47ae-9be6-808fbbe84772",
}


def id_of(role: str) -> str:
    """Return the GUID of a role's definition; a role that isn't built in has one by its name."""
    return _IDS.get(role) or str(uuid.uuid5(uuid.NAMESPACE_URL, role))


def by_id(guid: str) -> str | None:
    """Return the name of the role that has this definition."""
    return next((role for role in ROLES if id_of(role) == guid.lower()), None)


def definition_id(role: str, scope: str) -> str:
    """Return the ARM id of a role's definition as it is shown at a scope: below its subscription."""
    parts = scope.split("/")
    below = "/".join(parts[:3]) if parts[1:2] == ["subscriptions"] else ""
    return f"{below}/providers/Microsoft.Authorization/roleDefinitions/{id_of(role)}"


def covers(role: str, action: str) -> bool:
    """Tell whether a role includes an action."""
    return _matches(action, ROLES[role]) and not _matches(action, _NOT_ACTIONS.get(role, ()))


def permission(role: str) -> dict[str, Any]:
    """Return what a role allows, as role definitions and permissions show it."""
    refused = list(_NOT_ACTIONS.get(role, ()))
    return {"actions": list(ROLES[role]), "notActions": refused, "dataActions": [], "notDataActions": []}


def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
