"""Whom a connection signs in as holds federated credentials: an application in Graph, a managed identity in ARM."""

from typing import Protocol

import msgspec

from rekey.clients import Clients
from rekey.connections.found import FederatedCredential
from rekey.entra_federation import Directory
from rekey.errors import PermanentError
from rekey.managed_identities import ManagedIdentities
from rekey.model.federation import Federation, Identity

MOST = 20
"""Federated credentials that one of them may have.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
"""


class Holder(Protocol):
    """One of them; lists lag writes, and writes have to come one after the other."""

    @property
    def principal(self) -> str:
        """The application's object id, or the managed identity's ARM id."""
        ...

    async def credentials(self) -> tuple[FederatedCredential, ...]:
        """Return all of its federated credentials."""
        ...

    async def put(self, wanted: FederatedCredential, *, known: bool) -> None:
        """Make one, or change the one of that name if it is `known` to be there."""
        ...

    async def remove(self, name: str) -> None:
        """Remove the one of that name; one that is gone is no error."""
        ...


class _Application(msgspec.Struct, frozen=True):
    principal: str
    graph: Directory

    async def credentials(self) -> tuple[FederatedCredential, ...]:
        return await self.graph.credentials(self.principal)

    async def put(self, wanted: FederatedCredential, *, known: bool) -> None:
        await self.graph.put_credential(self.principal, wanted, known=known)

    async def remove(self, name: str) -> None:
        await self.graph.remove_credential(self.principal, name)


class _ManagedIdentity(msgspec.Struct, frozen=True):
    principal: str
    arm: ManagedIdentities

    async def credentials(self) -> tuple[FederatedCredential, ...]:
        return await self.arm.credentials(self.principal)

    async def put(self, wanted: FederatedCredential, *, known: bool) -> None:  # noqa: ARG002 - a PUT is both
        await self.arm.put_credential(self.principal, wanted)

    async def remove(self, name: str) -> None:
        await self.arm.remove_credential(self.principal, name)


def holder_of(clients: Clients, identity: Identity) -> Holder:
    """Return where the federated credentials of an identity are."""
    if identity.arm_id:
        return _ManagedIdentity(identity.arm_id, ManagedIdentities(clients))
    return _Application(identity.object_id, Directory(clients.graph()))


def identity_of(federation: Federation) -> Identity:
    """Return whom the connection signs in as, which an earlier step found out."""
    if federation.signs_in_as is None:
        raise PermanentError("no-identity", f"federation {federation.id}: nobody has found out who it signs in as yet")
    return federation.signs_in_as


def credential_name(federation: Federation) -> str:
    """Return the name of the one federated credential that a walk makes: it is for good, and tells whose it is."""
    return f"rekey-{federation.id}"
