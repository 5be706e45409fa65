"""Knows Azure DevOps' security namespaces beside that of connections: their bits, their tokens, their names in seeds.

https://learn.microsoft.com/azure/devops/organizations/security/namespace-reference; the bits are those that
`az devops security permission namespace show` lists.
"""

from enum import IntFlag

from local.azure.azuredevops_state import ENDPOINTS, Organization, Permission

BUILD = "33344d9c-fc72-4d6f-aba5-fa317101a7e9"
RELEASE = "c788c23e-1b46-4162-8f5e-d7585343b5de"
LIBRARY = "b7e84409-6553-448a-bbb2-af228e07cbeb"


class Build(IntFlag):
    """Bits of the namespace Build."""

    VIEW_BUILDS = 1
    QUEUE = 128
    VIEW_DEFINITION = 1024


class Release(IntFlag):
    """Bits of the namespace ReleaseManagement."""

    VIEW_DEFINITION = 1
    VIEW_RELEASES = 32
    CREATE_RELEASES = 64


class Library(IntFlag):
    """Bits of the namespace Library."""

    VIEW = 1
    ADMINISTER = 2
    USE = 16


_VIEW_BUILDS = Build.VIEW_BUILDS | Build.VIEW_DEFINITION
_VIEW_RELEASES = Release.VIEW_DEFINITION | Release.VIEW_RELEASES

GRANTS: dict[str, tuple[str, int]] = {
    "view": (ENDPOINTS, Permission.VIEW),
    "use": (ENDPOINTS, Permission.USE | Permission.VIEW),
    "create": (ENDPOINTS, Permission.CREATE | Permission.VIEW),
    "administer": (ENDPOINTS, Permission.ALL),
    "view-builds": (BUILD, _VIEW_BUILDS),
    "queue-builds": (BUILD, _VIEW_BUILDS | Build.QUEUE),
    "view-releases": (RELEASE, _VIEW_RELEASES),
    "create-releases": (RELEASE, _VIEW_RELEASES | Release.CREATE_RELEASES),
    "library-reader": (LIBRARY, Library.VIEW),
    "library-user": (LIBRARY, Library.VIEW | Library.USE),
    "library-administrator": (LIBRARY, Library.VIEW | Library.USE | Library.ADMINISTER),
}
"""What a seed calls a right: its namespace and bits, the weaker ones included."""


def has(organization: Organization, object_id: str, namespace: str, token: str, bits: int) -> bool | None:
    """Tell whether a member has all those bits on what a token names; None for a namespace that isn't simulated."""
    parts = token.strip("/").split("/")
    if namespace not in (ENDPOINTS, BUILD, RELEASE, LIBRARY):
        return None
    project = organization.project(_project_in(namespace, parts))
    if project is None:
        return False
    if namespace == ENDPOINTS:
        one = organization.endpoint(parts[2]) if len(parts) > 2 else None
        return organization.rights(object_id, project.id, one) & bits == bits
    return organization.bits(object_id, project, namespace) & bits == bits


def _project_in(namespace: str, parts: list[str]) -> str:
    """Return the project's id in a token: `endpoints/<id>/...`, `Library/<id>/...`, else `<id>/[folder/]<id>`."""
    lead = {ENDPOINTS: "endpoints", LIBRARY: "library"}.get(namespace)
    if lead is None:
        return parts[0]
    return parts[1] if len(parts) > 1 and parts[0].lower() == lead else ""
