"""What Microsoft Graph says of whoever a client id stands for: an application, its federated credentials, or nobody."""

from typing import TYPE_CHECKING

import msgspec

from rekey.arm_id import ArmId
from rekey.connections.found import FederatedCredential, Principal, Standing
from rekey.entra_graph import EntraGraph
from rekey.errors import InputError, PermanentError
from rekey.graph_errors import graph_translated

if TYPE_CHECKING:
    from msgraph.generated.applications.item.federated_identity_credentials import (
        federated_identity_credentials_request_builder as builders,
    )
    from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


class ServicePrincipal(msgspec.Struct, frozen=True, kw_only=True):
    """An enterprise application: what roles are assigned to, by its `object_id`.

    `identity` is the ARM id of the user-assigned managed identity that it is, "" of all others.
    """

    object_id: str
    name: str = ""
    managed: bool = False
    identity: str = ""


class Directory(EntraGraph):
    """Microsoft Graph, as far as it tells who a connection signs in as, and whom an application trusts."""

    async def principal(self, client_id: str) -> Principal:
        """Return who has that client id (a GUID); the credentials of a managed identity aren't in Graph."""
        try:
            found = await self.application(client_id)
        except PermanentError as error:
            if error.code != "no-application":
                raise
            return _without_registration(await self.service_principal(client_id))
        return Principal(
            standing=Standing.APPLICATION,
            name=found.display_name,
            audience=found.audience,
            object_id=found.object_id,
            credentials=await self.credentials(found.object_id),
            secrets_end=tuple(password.end for password in found.passwords),
        )

    async def service_principal(self, client_id: str) -> ServicePrincipal | None:
        """Return the enterprise application of that client id, None if there is none."""
        from msgraph.generated.service_principals_with_app_id.service_principals_with_app_id_request_builder import (
            ServicePrincipalsWithAppIdRequestBuilder,
        )

        builder = ServicePrincipalsWithAppIdRequestBuilder(self._client.request_adapter, {}, client_id)
        try:
            with graph_translated(f"servicePrincipal {client_id}"):
                found = await builder.get()
        except PermanentError as error:
            if error.code != "no-application":
                raise
            return None
        if found is None:
            return None
        managed = found.service_principal_type == "ManagedIdentity"
        names = found.alternative_names or () if managed else ()
        return ServicePrincipal(
            object_id=found.id or "", name=found.display_name or "", managed=managed, identity=_identity(names)
        )

    async def credentials(self, object_id: str) -> tuple[FederatedCredential, ...]:
        """Return the federated credentials of an application: at most 20, which is one page. Lags writes."""
        with graph_translated("federatedIdentityCredentials"):
            found = await self._credentials(object_id).get()
        return tuple(_credential(one) for one in (found.value if found else None) or ())

    async def put_credential(self, object_id: str, wanted: FederatedCredential, *, known: bool) -> None:
        """Make a federated credential, or change the one of that name if it is `known` to be there."""
        from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential

        body = FederatedIdentityCredential(
            issuer=wanted.issuer, subject=wanted.subject, audiences=list(wanted.audiences)
        )
        with graph_translated("federatedIdentityCredentials"):
            if known:
                await self._credentials(object_id).by_federated_identity_credential_id(wanted.name).patch(body)
                return
            body.name = wanted.name
            await self._credentials(object_id).post(body)

    async def remove_credential(self, object_id: str, name: str) -> None:
        """Remove the federated credential of that name; one that is gone is no error."""
        try:
            with graph_translated(f"federatedIdentityCredential {name}"):
                await self._credentials(object_id).by_federated_identity_credential_id(name).delete()
        except PermanentError as error:
            if error.code != "no-application":
                raise

    def _credentials(self, object_id: str) -> "builders.FederatedIdentityCredentialsRequestBuilder":
        return self._client.applications.by_application_id(object_id).federated_identity_credentials


def _without_registration(found: ServicePrincipal | None) -> Principal:
    if found is None:
        return Principal(standing=Standing.GONE)
    standing = Standing.MANAGED_IDENTITY if found.managed else Standing.ELSEWHERE
    return Principal(standing=standing, name=found.name, identity=found.identity)


def _identity(names: "list[str] | tuple[str, ...]") -> str:
    """Return the ARM id among a managed identity's names; a system-assigned one has only its resource's."""
    for name in names:
        try:
            return str(ArmId.of(name, IDENTITIES))
        except InputError:
            continue
    return ""


def _credential(found: "FederatedIdentityCredential") -> FederatedCredential:
    return FederatedCredential(
        issuer=found.issuer or "",
        subject=found.subject or "",
        audiences=tuple(found.audiences or ()),
        name=found.name or "",
    )
