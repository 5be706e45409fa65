"""Knows what Microsoft Graph itself looks like in a directory: its service principal, and the roles it offers."""

from local.azure.directory import Directory, Principal
from local.azure.graph_entities import Entity, service_principal

APP_ID = "00000003-0000-0000-c000-000000000000"
# https://learn.microsoft.com/graph/permissions-reference: those that the simulation knows the meaning of.
ROLES = {
    "AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f",
    "Application.Read.All": "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
    "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61",
    "Policy.Read.All": "246dd0d5-5bd0-4def-940b-0421030a5b68",
    "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
}
# https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
DIRECTORY_ROLES = {
    "Application Administrator": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "Cloud Application Administrator": "158c047a-c907-4556-b7ef-446551a6b5f7",
    "Global Administrator": "62e90394-69f5-4237-9190-012177145e10",
    "Privileged Role Administrator": "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "Security Reader": "5d6b6bb7-de71-4623-b4af-96380a352509",
}


def principal(directory: Directory) -> Principal:
    """Return Graph's own service principal."""
    return Principal(directory.graph_principal, APP_ID, "Microsoft Graph", "Application", frozenset())


def seen(shown: Principal) -> Entity:
    """Return a service principal as Graph shows it; Graph's own offers its roles."""
    roles = ROLES if shown.app_id == APP_ID else {}
    return {**service_principal(shown), "appRoles": [_role(name, role) for name, role in roles.items()]}


def _role(name: str, role: str) -> Entity:
    return {
        "allowedMemberTypes": ["Application"],
        "description": name,
        "displayName": name,
        "id": role,
        "isEnabled": True,
        "origin": "Application",
        "value": name,
    }


def directory_role(name: str) -> Entity:
    """Return a directory role that somebody holds."""
    return {
        "@odata.type": "#microsoft.graph.directoryRole",
        "id": DIRECTORY_ROLES[name],
        "deletedDateTime": None,
        "description": name,
        "displayName": name,
        "roleTemplateId": DIRECTORY_ROLES[name],
    }
