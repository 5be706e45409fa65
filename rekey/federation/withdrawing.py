"""Takes back what a walk made in Entra and Azure, and nothing else: its credential, its roles, its identity.

What it made is known by name or label, so that it is found even if the walk ended before it was told of it.
"""

from rekey.clients import Clients
from rekey.connections.found import Way
from rekey.errors import NotYetError, PermanentError
from rekey.federation import identities, roles
from rekey.federation.holders import credential_name, holder_of
from rekey.federation.organization import Organization, place
from rekey.managed_identities import ManagedIdentities
from rekey.model.federation import Federation, Identity, Proven
from rekey.model.federation_request import Mode


async def withdraw(clients: Clients, federation: Federation) -> Proven:
    """Return what was removed, in words. PermanentError while a converted connection still needs it to sign in."""
    if federation.mode is Mode.VEND:
        return await _unmade(clients, federation)
    found = federation.signs_in_as
    if found is None:
        return Proven(proof="nothing was made that could be withdrawn")
    await _require_converted_back(clients, federation)
    count = await roles.take_back(clients, federation)
    return Proven(proof=_told(count, await _removed_credential(clients, federation, found), ""))


async def _unmade(clients: Clients, federation: Federation) -> Proven:
    """Remove the identity that was made for a vended connection; its roles first, for they would stay."""
    found = await identities.made(clients, federation)
    if found is None:
        return Proven(proof="no identity is left that was made for it")
    count = await roles.take_back(clients, federation.but(signs_in_as=found))
    await ManagedIdentities(clients).remove(found.arm_id)
    return Proven(proof=_told(count, "", found.arm_id))


async def _removed_credential(clients: Clients, federation: Federation, identity: Identity) -> str:
    holder, name = holder_of(clients, identity), credential_name(federation)
    there = any(one.name == name for one in await holder.credentials())
    await holder.remove(name)
    if there and any(one.name == name for one in await holder.credentials()):
        raise NotYetError("still-listed", f"federated credential {name} of {holder.principal} is still listed")
    return name if there else ""


async def _require_converted_back(clients: Clients, federation: Federation) -> None:
    """The old way in has to work before the new one goes: a converted connection has only this one."""
    if federation.mode is not Mode.IN_PLACE or federation.old is None:
        return
    organization = Organization(clients, federation.organization)
    found = await organization.connection(place(federation), federation.old.id)
    if found and found[1].way is Way.FEDERATED:
        said = f"connection {federation.old.name} is still federated: without its federated credential it can't sign in"
        raise PermanentError("still-federated", said, "Convert it back first, in Azure DevOps or by a revert.")


def _told(count: int, credential: str, identity: str) -> str:
    parts = [
        f"{count} role assignment{'' if count == 1 else 's'}" if count else "",
        f"the federated credential {credential}" if credential else "",
        f"the managed identity {identity}" if identity else "",
    ]
    removed = " and ".join(part for part in parts if part)
    return f"removed {removed}" if removed else "nothing of it was left"
