"""Looks who a connection signs in as, with the federated credentials wherever they are: in Graph, or in ARM."""

from msgspec.structs import replace

from rekey.clients import Clients
from rekey.connections.found import Principal, Standing
from rekey.entra_federation import Directory
from rekey.errors import PermanentError
from rekey.managed_identities import READER, ManagedIdentities
from rekey.settings import Settings


async def look(clients: Clients, client_id: str) -> Principal:
    """Return who has that client id; what of a managed identity can't be looked at is said in it."""
    found = await Directory(clients.graph()).principal(client_id)
    if found.standing is not Standing.MANAGED_IDENTITY:
        return found
    if not _is_allowed(clients.settings, found.identity):
        who = found.identity or f"client id {client_id}, of which Microsoft Graph tells no ARM id"
        hidden = f"the federated credentials of {who} were not looked at: no scope of REKEY_SCOPES has it in resources"
        to_see = "Add its ARM id, or its resource group's, to resources in REKEY_SCOPES, and give Rekey Reader there."
        return replace(found, hidden=hidden, to_see=to_see)
    try:
        credentials = await ManagedIdentities(clients).credentials(found.identity, role=READER)
    except PermanentError as error:
        return replace(found, hidden=error.message, to_see=error.what_to_do)
    return replace(found, credentials=credentials)


def _is_allowed(settings: Settings, arm_id: str) -> bool:
    below = f"{arm_id.lower()}/"
    prefixes = (prefix for scope in settings.scopes for prefix in scope.resources)
    return bool(arm_id) and any(below.startswith(f"{prefix.lower()}/") for prefix in prefixes)
