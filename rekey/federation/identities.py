"""Makes the managed identity that a vended connection signs in as: in the resource group of settings, with a label."""

import re

from rekey import names
from rekey.clients import Clients
from rekey.entra_federation import IDENTITIES
from rekey.errors import PermanentError
from rekey.federation.roles import vending_of
from rekey.managed_identities import ManagedIdentities, ManagedIdentity
from rekey.model.federation import Federation, Identity

LABEL = "rekey-federation"
"""The tag that says whose it is."""
CONNECTION = "azure-devops-connection"
_LONGEST = 60
"""Characters of the connection's name in the identity's: 128 are allowed."""


async def create(clients: Clients, federation: Federation) -> Identity:
    """Return the identity of a vended connection, making it if it isn't there; never somebody else's of that name."""
    arm_id, identities = _arm_id(clients, federation), ManagedIdentities(clients)
    found = await identities.get(arm_id)
    if found and not _is_ours(clients, federation, found):
        said = f"{arm_id} is there already, and not of this request"
        raise PermanentError("name-taken", said, "Give the connection another name, or remove that identity.")
    if found is None:
        connection = f"{federation.organization}/{federation.project}/{federation.new_name}"
        tags = {LABEL: names.label(clients.settings.deployment, federation.id), CONNECTION: connection[:256]}
        found = await identities.put(arm_id, vending_of(clients).location, tags)
    return Identity(client_id=found.client_id, principal_id=found.principal_id, arm_id=arm_id)


async def made(clients: Clients, federation: Federation) -> Identity | None:
    """Return the identity that this walk made, whether it knows of it or not; None if it is gone, or another's."""
    found = await ManagedIdentities(clients).get(_arm_id(clients, federation))
    if found is None or not _is_ours(clients, federation, found):
        return None
    return Identity(client_id=found.client_id, principal_id=found.principal_id, arm_id=found.arm_id)


def _arm_id(clients: Clients, federation: Federation) -> str:
    """Return the ARM id that the identity of this walk has, whether it is there or not."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", federation.new_name).strip("-_")[:_LONGEST]
    name = f"{plain or 'connection'}-{federation.id[:8]}"
    return f"{vending_of(clients).identities}/providers/{IDENTITIES}/{name}"


def _is_ours(clients: Clients, federation: Federation, found: ManagedIdentity) -> bool:
    return found.tags.get(LABEL) == names.label(clients.settings.deployment, federation.id)
