"""What Microsoft Graph says of whoever a client id stands for: an application, its federated credentials, or nobody."""

from typing import TYPE_CHECKING

from rekey.connections.found import FederatedCredential, Principal, Standing
from rekey.entra_graph import EntraGraph, graph_translated
from rekey.errors import PermanentError

if TYPE_CHECKING:
    from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential


class Directory(EntraGraph):
    """Microsoft Graph, as far as it tells who a connection signs in as. Nothing is changed."""

    async def principal(self, client_id: str) -> Principal:
        """Return who has that client id (a GUID); the credentials of a managed identity aren't in Graph."""
        try:
            found = await self.application(client_id)
        except PermanentError as error:
            if error.code != "no-application":
                raise
            return await self._enterprise_application(client_id)
        return Principal(
            standing=Standing.APPLICATION,
            name=found.display_name,
            audience=found.audience,
            credentials=await self._credentials(found.object_id),
            secrets_end=tuple(password.end for password in found.passwords),
        )

    async def _credentials(self, object_id: str) -> tuple[FederatedCredential, ...]:
        """Return the federated credentials of an application: at most 20, which is one page."""
        with graph_translated("federatedIdentityCredentials"):
            found = await self._client.applications.by_application_id(object_id).federated_identity_credentials.get()
        return tuple(_credential(one) for one in (found.value if found else None) or ())

    async def _enterprise_application(self, client_id: str) -> Principal:
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
            return Principal(standing=Standing.GONE)
        managed = found is not None and found.service_principal_type == "ManagedIdentity"
        standing = Standing.MANAGED_IDENTITY if managed else Standing.ELSEWHERE
        return Principal(standing=standing, name=(found.display_name if found else None) or "")


def _credential(found: "FederatedIdentityCredential") -> FederatedCredential:
    return FederatedCredential(
        issuer=found.issuer or "", subject=found.subject or "", audiences=tuple(found.audiences or ())
    )
