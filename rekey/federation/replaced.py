"""Knows which service connections are gone because another one, without a secret, was made in their place."""

from rekey import names
from rekey.azdo_uri import Place
from rekey.clients import Clients
from rekey.federation.records import FederationRecords
from rekey.model.federation import Federation, Mode
from rekey.ports import ConsumerFacts

SCHEME = "azdo-service-connection"


async def replaced(clients: Clients, uri: str) -> ConsumerFacts | None:
    """Return what is left to say of a consumer that Rekey deleted, None if it deleted none of that URI.

    Every record is read: ask only about a connection that isn't there.
    """
    if not uri.startswith(f"{SCHEME}://"):
        return None
    for record in await FederationRecords(clients.container()).all():
        walk = record.federation
        if walk.old and old_uri(walk).lower() == uri.lower() and record.did(names.RETIRE_CONNECTION):
            return ConsumerFacts(object_id=walk.old.id, keyless=_why(walk))
    return None


def old_uri(walk: Federation) -> str:
    """Return how tags name the connection that a walk replaces, "" if it replaces none."""
    if walk.mode is not Mode.SIDE_BY_SIDE:
        return ""
    name = walk.old.name if walk.old else walk.connection
    return Place(SCHEME, walk.organization, walk.project, (name,)).uri


def _why(walk: Federation) -> str:
    new = walk.new.name if walk.new else walk.new_name
    return f"it was deleted after {new}, which needs no key, had taken its place"
