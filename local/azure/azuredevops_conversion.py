"""Knows what `operation=ConvertAuthenticationScheme` does to a connection: from a secret to federation, and back.

Nothing of it is in Microsoft's specification; this is what public tools that use it rely on
(https://github.com/geekzter/azure-identity-scripts, https://github.com/MicrosoftDocs/vsts-rest-api-specs/issues/688).
Unconfirmed and chosen: the words of refusals, the name of the credential that Azure DevOps makes.
"""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import msgspec

from local.azure import azuredevops_federation as federation
from local.azure.azuredevops_errors import invalid
from local.azure.azuredevops_state import Endpoint, Organization, Update
from local.azure.cloud import Cloud
from local.azure.directory_federation import FederatedCredential

OPERATION = "ConvertAuthenticationScheme"
DEADLINE = "revertSchemeDeadline"
_REVERTIBLE = timedelta(days=7)
_SECRET = "ServicePrincipal"  # noqa: S105 - a scheme


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


def converted(
    cloud: Cloud, organization: Organization, endpoint: Endpoint, wanted: Wanted, *, by: str, project_id: str | None
) -> None:
    """Convert a connection, or revert that; a ServiceError says why not. `project_id` is the path's, if it has one."""
    _check(endpoint, wanted, project_id)
    now, scheme = cloud.clock.now(), endpoint.document["authorization"]["scheme"]
    if (scheme, wanted.authorization.scheme) == (_SECRET, federation.SCHEME):
        _federate(cloud, organization, endpoint, now)
    elif (scheme, wanted.authorization.scheme) == (federation.SCHEME, _SECRET):
        _revert(endpoint, now)
    else:
        raise invalid(f"The authentication scheme {scheme} can't be converted to {wanted.authorization.scheme}.")
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


def _federate(cloud: Cloud, organization: Organization, endpoint: Endpoint, now: datetime) -> None:
    """Convert; of a connection that was made automatically Azure DevOps makes the federated credential too."""
    document, automatic = endpoint.document, endpoint.document["data"].get("creationMode") == "Automatic"
    issuer = federation.issuer_of(federation.Issuer.ENTRA, cloud.tenant, organization.id)
    subject = federation.entra_subject(cloud.tenant, organization.id, endpoint.id)
    application = cloud.directory.by_app_id(endpoint.parameters.get("serviceprincipalid", ""))
    if automatic and application:
        application.federated.add(FederatedCredential(endpoint.id, issuer, subject, now))
    endpoint.former = (deepcopy(document["authorization"]), endpoint.secrets)
    kept = {name: endpoint.parameters[name] for name in ("tenantid", "serviceprincipalid")}
    document["authorization"] = {
        "scheme": federation.SCHEME,
        "parameters": {**kept, federation.ISSUER: issuer, federation.SUBJECT: subject},
    }
    deadline = (now + _REVERTIBLE).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    kind = f"AppRegistration{document['data'].get('creationMode', 'Manual')}"
    document["data"] |= {DEADLINE: deadline, "identityType": kind}
    endpoint.secrets = {}


def _revert(endpoint: Endpoint, now: datetime) -> None:
    """Give the connection back what it signed in with, as long as that is kept."""
    deadline = endpoint.document["data"].get(DEADLINE)
    if endpoint.former is None or not deadline or now >= datetime.fromisoformat(deadline):
        raise invalid("The time in which the authentication scheme can be reverted is over.")
    endpoint.document["authorization"], endpoint.secrets = endpoint.former
    endpoint.former = None
    for field in (DEADLINE, "identityType"):
        endpoint.document["data"].pop(field)
