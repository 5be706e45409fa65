"""Knows what a connection needs that is in nobody's place: where Azure is, and which subscription it is for.

https://learn.microsoft.com/azure/devops/pipelines/library/azure-resource-manager-alternate-approaches. Azure DevOps
takes a subscription with its name, which only Azure Resource Manager knows; to people it is no more than a name.
"""

from rekey.clients import Clients
from rekey.clouds import CLOUDS
from rekey.errors import PermanentError
from rekey.federation.document import Document, new
from rekey.federation.organization import Organization
from rekey.model.federation import Federation
from rekey.resource_manager import ResourceManager

_API = "2022-12-01"
_ENVIRONMENTS = {
    CLOUDS["usgovernment"].resource_manager: "AzureUSGovernment",
    CLOUDS["china"].resource_manager: "AzureChinaCloud",
}
"""What Azure DevOps calls a cloud; any other is the public one."""


async def vended(
    clients: Clients, organization: Organization, federation: Federation, client_id: str, mark: str
) -> Document:
    """Return the connection to ask for: to the subscription of the walk's scope, for the one project."""
    settings, subscription = clients.settings, federation.scope.split("/")[2]
    here = await organization.project(federation.project, federation.new_name)
    wanted = new(federation.new_name, mark, client_id, (here,))
    wanted["authorization"]["parameters"] |= {"tenantid": settings.tenant_id, "scope": federation.scope}
    data = {
        "environment": _ENVIRONMENTS.get(settings.cloud.resource_manager, "AzureCloud"),
        "scopeLevel": "Subscription",
        "subscriptionId": subscription,
        "subscriptionName": await _name(clients, subscription),
        "creationMode": "Manual",
    }
    return {**wanted, "url": f"{settings.cloud.resource_manager}/", "data": data}


async def _name(clients: Clients, subscription: str) -> str:
    """Return the subscription's name; its id where the app's identity may not read it."""
    try:
        found = await ResourceManager(clients).get(f"/subscriptions/{subscription}", _API, role="Reader")
    except PermanentError:
        return subscription
    return str((found.body or {}).get("displayName") or subscription)
