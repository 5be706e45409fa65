"""Judges whether a connection can come to need no secret in the way that was asked for: pure, from what it says."""

from rekey.connections.flaws import shown
from rekey.connections.found import Connection, Way
from rekey.errors import PermanentError
from rekey.federation.document import Document, is_azurerm, projects
from rekey.model.federation_request import Mode

_KEYS = {
    Way.CERTIFICATE: (
        "it signs in with a certificate",
        "Only a secret can be converted: make a connection with workload identity federation in its place.",
    ),
    Way.PUBLISH_PROFILE: (
        "it signs in with a publish profile, which has no application behind it",
        "Make a connection with workload identity federation in its place, then reset the publish profile.",
    ),
    Way.OTHER: ("its authentication scheme is none that Rekey knows", "Leave it as it is."),
}


def nothing_to_do(found: Document, connection: Connection, mode: Mode, tenant: str) -> str:
    """Return why there is nothing to do, "" if there is; PermanentError for what can't be done in that way."""
    name = shown(connection.name)
    if not is_azurerm(found):
        kind = shown(str(found.get("type", "")))
        raise PermanentError("not-azurerm", f"{name} is of type {kind}", "Only connections to Azure can be federated.")
    if connection.way is Way.MANAGED_IDENTITY:
        return f"{name} signs in with the managed identity of its agents: it holds no secret"
    if connection.way is Way.FEDERATED and not _goes_on(connection, mode):
        return f"{name} is federated already; if it can't sign in, ask for mode {Mode.REPAIR}"
    if connection.way in _KEYS:
        why, instead = _KEYS[connection.way]
        raise PermanentError(connection.way.value, f"{name} can't be federated: {why}", instead)
    if connection.way is Way.SECRET and mode is Mode.REPAIR:
        instead = f"Ask for mode {Mode.IN_PLACE} or {Mode.SIDE_BY_SIDE}."
        raise PermanentError("not-federated", f"{name} signs in with a secret: there is nothing to repair", instead)
    _require_usable(connection, name, tenant)
    return ""


def _goes_on(connection: Connection, mode: Mode) -> bool:
    """Tell whether a federated one is to be walked: a repair, or one that was converted in place and may not be done.

    A walk that died left it so, or somebody in the portal: every step finds what was done, and does what wasn't.
    """
    return mode is Mode.REPAIR or (mode is Mode.IN_PLACE and connection.revert_until is not None)


def _require_usable(connection: Connection, name: str, tenant: str) -> None:
    if connection.disabled:
        raise PermanentError("disabled", f"{name} is disabled", "Enable it (the connection, Edit), or delete it.")
    if not connection.application or connection.tenant != tenant:
        raise PermanentError(
            "other-tenant",
            f"{name} signs in to the tenant {connection.tenant or 'unknown'}, Rekey's own is {tenant}",
            "Let the Rekey of that tenant do it.",
        )


def require_owner(found: Document, connection: Connection, project: str) -> None:
    """Refuse a shared connection that is asked for from a project that doesn't own it; say which one does."""
    owner = projects(found)[0]
    if project.lower() not in {owner.project.lower(), owner.id}:
        raise PermanentError(
            "not-the-owner",
            f"{shown(connection.name)} is shared with {project}, it belongs to the project {shown(owner.project)}",
            f"Ask for it from the project {shown(owner.project)}, where it is called {shown(owner.connection)}.",
        )
