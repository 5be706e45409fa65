"""Knows what `operation=ConvertAuthenticationScheme` does to a connection: from a secret to federation, and back.

Nothing of it is in Microsoft's specification; this is what public tools that use it rely on
(https://github.com/geekzter/azure-identity-scripts, https://github.com/MicrosoftDocs/vsts-rest-api-specs/issues/688),
and what https://github.com/devopsshield/azure-devops-workload-identity-federation quotes of its refusals.
Whether a connection that somebody made by hand is converted before Entra trusts it, and whether that can be reverted,
is told differently (https://learn.microsoft.com/azure/devops/pipelines/library/connect-to-azure): seeds choose.
Unconfirmed and chosen: the words of the other refusals, the name of the credential that Azure DevOps makes.
"""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import msgspec

from local.azure import azuredevops_federation as federation
from local.azure.azuredevops_errors import argument, invalid
from local.azure.azuredevops_proxy import token
from local.azure.azuredevops_state import Endpoint, Organization, Update
from local.azure.cloud import Cloud
from local.azure.directory_federation import FederatedCredential

OPERATION = "ConvertAuthenticationScheme"
DEADLINE = "revertSchemeDeadline"
_REVERTIBLE = timedelta(days=7)
_SECRET = "ServicePrincipal"  # noqa: S105 - a scheme
_KEPT = ("tenantid", "serviceprincipalid")
_UNTRUSTED = {
    "checks": (
        "The authorization scheme could not be upgraded to WorkloadIdentityFederation because the service principal "
        "could not be configured automatically, and no valid configuration exists."
    ),
    "checks-as-the-portal": (
        "Automatic authentication conversion failed. Your service connection was not modified. To continue the "
        "conversion manually, create a Federated Credential for the underlying Service Principal using the Federation "
        "Subject Identifier below and try again."
    ),
}
"""How a conversion is refused that Entra doesn't trust yet: by the API, and as the portal tells it."""


class Scheme(msgspec.Struct, frozen=True):
    """The scheme that a connection shall have."""

    scheme: str


class Project(msgspec.Struct, frozen=True):
    """A project."""

    id: str


class Reference(msgspec.Struct, frozen=True, rename="camel"):
    """A project that has the connection."""

    project_reference: Project


class Wanted(msgspec.Struct, frozen=True, rename="camel"):
    """What of the body is looked at."""

    authorization: Scheme
    type: str
    service_endpoint_project_references: list[Reference]
    data: dict[str, Any] = {}


async def converted(
    cloud: Cloud, organization: Organization, endpoint: Endpoint, wanted: Wanted, *, by: str, project_id: str | None
) -> None:
    """Convert a connection, or revert that; a ServiceError says why not. `project_id` is the path's, if it has one."""
    _check(endpoint, wanted, project_id)
    now, scheme = cloud.clock.now(), endpoint.document["authorization"]["scheme"]
    if (scheme, wanted.authorization.scheme) == (_SECRET, federation.SCHEME):
        await _federate(cloud, organization, endpoint, now)
    elif (scheme, wanted.authorization.scheme) == (federation.SCHEME, _SECRET):
        _revert(organization, endpoint, now)
    else:
        raise argument(
            f"Converting endpoint type azurerm scheme from {scheme} to {wanted.authorization.scheme} is neither an "
            "upgrade or a downgrade and is not supported."
        )
    endpoint.document["modificationDate"] = now.isoformat()
    endpoint.updates.append(Update(by, now, key_changed=True))


def _check(endpoint: Endpoint, wanted: Wanted, project_id: str | None) -> None:
    owner = endpoint.project_ids[0]
    named = {one.project_reference.id for one in wanted.service_endpoint_project_references}
    if endpoint.document["type"].lower() != "azurerm" or wanted.type.lower() != "azurerm":
        raise invalid("Only service connections of the type azurerm can be converted.")
    if DEADLINE in wanted.data:
        raise invalid(f"data.{DEADLINE} can't be set.")
    if owner not in named or project_id not in (None, owner):
        raise invalid("A shared service connection can only be converted from the project that owns it.")


async def _federate(cloud: Cloud, organization: Organization, endpoint: Endpoint, now: datetime) -> None:
    """Convert; of a connection that was made automatically Azure DevOps makes the federated credential too."""
    document, announced = endpoint.document, federation.announced(cloud.tenant, organization.id, endpoint.id)
    if _automatic(endpoint):
        application = cloud.directory.by_app_id(endpoint.parameters.get("serviceprincipalid", ""))
        if application:
            issuer, subject = announced[federation.ISSUER], announced[federation.SUBJECT]
            application.federated.add(FederatedCredential(endpoint.id, issuer, subject, now))
    elif organization.conversion in _UNTRUSTED:
        await _try(cloud, organization, endpoint, announced)
    endpoint.former = (deepcopy(document["authorization"]), endpoint.secrets)
    kept = {name: value for name, value in endpoint.parameters.items() if name.lower() in _KEPT}
    document["authorization"] = {"scheme": federation.SCHEME, "parameters": {**kept, **announced}}
    deadline = (now + _REVERTIBLE).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    kind = f"AppRegistration{document['data'].get('creationMode', 'Manual')}"
    document["data"] |= {DEADLINE: deadline, "identityType": kind}
    endpoint.secrets = {}


def _automatic(endpoint: Endpoint) -> bool:
    return bool(endpoint.document["data"].get("creationMode") == "Automatic")


async def _try(cloud: Cloud, organization: Organization, endpoint: Endpoint, announced: dict[str, str]) -> None:
    """Refuse unless Entra trusts the connection already; one that is refused tells what Entra shall trust."""
    parameters = {name.lower(): str(value) for name, value in (endpoint.parameters | announced).items()}
    status, _ = await token(cloud, parameters)
    if status != 200:
        endpoint.parameters.update(announced)
        raise argument(_UNTRUSTED[organization.conversion])


def _revert(organization: Organization, endpoint: Endpoint, now: datetime) -> None:
    """Give the connection back what it signed in with, as long as that is kept."""
    if organization.reverts == "automatic" and not _automatic(endpoint):
        raise invalid("The conversion of a service connection that was created manually can't be reverted.")
    deadline = endpoint.document["data"].get(DEADLINE)
    if endpoint.former is None or not deadline or now >= datetime.fromisoformat(deadline):
        raise invalid("The time in which the authentication scheme can be reverted is over.")
    endpoint.document["authorization"], endpoint.secrets = endpoint.former
    endpoint.former = None
    for field in (DEADLINE, "identityType"):
        endpoint.document["data"].pop(field)
