"""Knows which federated credential a repaired connection needs no more, and removes it if that is beyond doubt."""

from collections.abc import Sequence

from rekey import names
from rekey.clients import Clients
from rekey.connections.federation import OLD_ISSUER
from rekey.connections.found import FederatedCredential
from rekey.federation.document import is_azurerm, read
from rekey.federation.holders import credential_name, holder_of, identity_of
from rekey.federation.organization import Organization, place
from rekey.federation.records import FederationRecords
from rekey.model.federation import Federation, Old

_OURS = "rekey-"


async def remove(clients: Clients, federation: Federation) -> str:
    """Remove what the new credential takes the place of, and return what was removed and what was left, in words.

    Removed is what a former walk made for this very connection, and what it presented by its name before it got the
    newer issuer; only if no other connection of its project presents that. Of everything else nobody here can tell.
    """
    trust, old = federation.trust, federation.old
    if not (trust and trust.made and old):
        return ""
    holder, removed, left = holder_of(clients, identity_of(federation)), list[str](), list[str]()
    needed = {(trust.issuer, trust.subject), *await _presented(clients, federation, old)}
    for one in await holder.credentials():
        if (one.issuer, one.subject) in needed or one.name == credential_name(federation):
            continue
        if await _is_its(clients, one, federation, old):
            await holder.remove(one.name)
            removed.append(one.name)
        elif _may_be_its(one, federation, old):
            left.append(one.name)
    return _told(removed, left)


def _may_be_its(one: FederatedCredential, federation: Federation, old: Old) -> bool:
    """Tell whether it was for a connection of this project, or for this one in other letters."""
    subject = one.subject.lower()
    return subject.startswith(f"sc://{federation.organization}/{federation.project}/".lower()) or (
        subject.endswith(f"/{old.id.lower()}")
    )


async def _is_its(clients: Clients, one: FederatedCredential, federation: Federation, old: Old) -> bool:
    by_name = f"sc://{federation.organization}/{federation.project}/{old.name}"
    if one.issuer.startswith(OLD_ISSUER) and one.subject == by_name:
        return True
    former_id = one.name.removeprefix(_OURS)
    if former_id == one.name or not names.ROTATION_ID.fullmatch(former_id):
        return False
    former = await FederationRecords(clients.container()).read(former_id)
    return bool(former and former.federation.old and former.federation.old.id == old.id)


async def _presented(clients: Clients, federation: Federation, old: Old) -> set[tuple[str, str]]:
    organization = Organization(clients, federation.organization)
    found = [one for one in await organization.endpoints.documents(place(federation)) if is_azurerm(one)]
    known = [read(federation.organization, federation.project, one) for one in found]
    return {(one.issuer, one.subject) for one in known if one.id != old.id}


def _told(removed: Sequence[str], left: Sequence[str]) -> str:
    said = f"; removed the federated credential that it replaces: {', '.join(removed)}" if removed else ""
    if left:
        said += f"; left as they are, since nothing proves whose they were: {', '.join(left)}"
    return said
