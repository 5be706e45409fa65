"""Knows which service connections are gone because another one, without a secret, was made in their place.

The one that was made says so: the app that makes connections keeps its records for itself.
"""

from rekey import names
from rekey.azdo_uri import Form, parsed
from rekey.clients import Clients
from rekey.connections.flaws import shown
from rekey.connections.report import KEYLESS
from rekey.federation.document import is_azurerm, read, takes_place_of
from rekey.federation.organization import Organization
from rekey.ports import ConsumerFacts

SCHEME = "azdo-service-connection"
_FORM = Form(SCHEME, "service connection", f"{SCHEME}://<organization>/<project>/<connection name>")


async def replaced(clients: Clients, uri: str) -> ConsumerFacts | None:
    """Return what is left to say of a connection that isn't there, None if no other one has taken its place."""
    if not uri.startswith(f"{SCHEME}://"):
        return None
    place = parsed(uri, _FORM)
    labels = names.label(clients.settings.deployment, "")
    for document in await Organization(clients, place.organization).endpoints.documents(place.project):
        if is_azurerm(document) and takes_place_of(document, place.name, labels):
            connection = read(place.organization, place.project, document)
            if connection.way in KEYLESS:
                why = f"it is gone, and {shown(connection.name)}, which needs no key, has taken its place"
                return ConsumerFacts(object_id=connection.id, keyless=why)
    return None
