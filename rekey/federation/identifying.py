"""Finds out whom a connection signs in as, or shall, and whether the app may say whom that trusts."""

from rekey.clients import Clients
from rekey.connections.federation import OLD_ISSUER
from rekey.connections.found import FederatedCredential
from rekey.entra_federation import Directory, ServicePrincipal
from rekey.errors import PermanentError, ScopeError
from rekey.federation.holders import MOST, Holder, credential_name, holder_of
from rekey.federation.presented import shown_by
from rekey.federation.trusting import full
from rekey.managed_identities import CREDENTIALS, ManagedIdentities, normal
from rekey.model.federation import Federation, Identity, Old
from rekey.model.federation_request import Mode, Target
from rekey.resource_manager import granting

ONE_TENANT = "AzureADMyOrg"


async def identify(clients: Clients, federation: Federation) -> Identity:
    """Return the application or managed identity, and check that it can trust one connection more.

    ScopeError unless settings bind it to the project; PermanentError if it is gone, of another tenant or of several,
    not the app's to write, or full.
    """
    arm_id = _asked_for(federation)
    if arm_id:
        found = await _managed(clients, federation, normal(arm_id))
    elif federation.old:
        found = await _application(clients, federation, federation.old)
    else:
        raise PermanentError("no-identity", "a connection that is vended gets an identity that is made for it")
    await _require_room(clients, federation, holder_of(clients, found))
    return found


def _asked_for(federation: Federation) -> str:
    """Return the ARM id of the managed identity that it is or shall be, "" where it is an application."""
    if federation.target is Target.MANAGED_IDENTITY:
        return federation.identity
    return federation.old.identity if federation.old else ""


async def _managed(clients: Clients, federation: Federation, arm_id: str) -> Identity:
    if not clients.settings.binds(federation.organization, federation.project, resource=arm_id):
        raise ScopeError("identity", arm_id, f"a managed identity that REKEY_SCOPES binds to {_project(federation)}")
    identities = ManagedIdentities(clients)
    found = await identities.get(arm_id)
    if found is None:
        raise PermanentError("no-managed-identity", f"there is no {arm_id}", "Correct its ARM id, or make it.")
    _require_tenant(found.tenant, clients, arm_id)
    if not await identities.may_write_credentials(arm_id):
        said = f"the app's identity may not write federated credentials of {arm_id}"
        raise PermanentError("not-allowed", said, granting(CREDENTIALS, arm_id))
    return Identity(client_id=found.client_id, principal_id=found.principal_id, arm_id=arm_id)


async def _application(clients: Clients, federation: Federation, old: Old) -> Identity:
    client_id = old.application
    if not clients.settings.binds(federation.organization, federation.project, application=client_id):
        raise ScopeError("application", client_id, f"an application REKEY_SCOPES binds to {_project(federation)}")
    _require_tenant(old.tenant, clients, f"connection {old.name}")
    directory = Directory(clients.graph())
    principal = await directory.service_principal(client_id)
    try:
        found = await directory.application(client_id)
    except PermanentError as error:
        if error.code != "no-application":
            raise
        raise _absent(client_id, principal) from None
    found.require_writable(await clients.caller("graph"), client_id)
    if found.audience not in {ONE_TENANT, ""} and not _presents_older_issuer(federation, old):
        raise PermanentError(
            "several-tenants",
            f"application {client_id} is open to other tenants ({found.audience}): Entra refuses federated connections "
            "of such (AADSTS70052)",
            f"az ad app update --id {client_id} --sign-in-audience {ONE_TENANT}, if nobody else needs it; else use a "
            "managed identity.",
        )
    if principal is None:
        said = f"application {client_id} has no service principal in this tenant: nobody can sign in as it"
        raise PermanentError("no-service-principal", said, f"az ad sp create --id {client_id}")
    return Identity(client_id=client_id, principal_id=principal.object_id, object_id=found.object_id)


def _presents_older_issuer(federation: Federation, old: Old) -> bool:
    """Tell whether it signs in, and goes on to, with what Azure DevOps signs itself: any application may trust that."""
    return federation.mode is Mode.REPAIR and old.issuer.lower().startswith(OLD_ISSUER)


def _absent(client_id: str, principal: ServicePrincipal | None) -> PermanentError:
    if principal is None:
        said, what_to_do = "Entra knows nobody with", "Restore the application, or name another in the connection."
        return PermanentError("application-gone", f"{said} the client id {client_id}", what_to_do)
    if principal.managed:
        said = f"client id {client_id} is a managed identity whose ARM id Microsoft Graph doesn't tell"
        return PermanentError("no-managed-identity", said, "Give the connection a user-assigned managed identity.")
    said = f"application {client_id} is registered in another tenant, which alone can say whom it trusts"
    return PermanentError("other-tenant", said, "Use an application of this tenant, or a managed identity.")


def _require_tenant(tenant: str, clients: Clients, what: str) -> None:
    if tenant and tenant.lower() != clients.settings.tenant_id:
        said = f"{what} is of tenant {tenant}, the app of {clients.settings.tenant_id}"
        raise PermanentError("other-tenant", said, "Use an application or a managed identity of the app's own tenant.")


async def _require_room(clients: Clients, federation: Federation, holder: Holder) -> None:
    known = await holder.credentials()
    if len(known) >= MOST and not any(_is_there(federation, one) for one in known):
        raise await full(clients, known)


def _is_there(federation: Federation, one: FederatedCredential) -> bool:
    """Tell whether nothing more has to be made: ours from an earlier attempt, or what the connection presents."""
    found = shown_by(federation)
    return one.name == credential_name(federation) or (found is not None and (one.issuer, one.subject) == found[:2])


def _project(federation: Federation) -> str:
    return f"{federation.organization}/{federation.project}"
