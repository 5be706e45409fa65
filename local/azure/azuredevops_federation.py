"""Knows what Azure DevOps asserts about a federated connection: under which issuer and subject, for whom.

https://learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity. The prefix of new subjects
holds the ids of tenant and Azure DevOps; its form is the one that people have published.
"""

import base64
import uuid
from enum import StrEnum

from local.azure.cloud import Cloud
from local.azure.directory_federation import EXCHANGE

SCHEME = "WorkloadIdentityFederation"
ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
_AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"
_SECONDS = 600


class Issuer(StrEnum):
    """Who signs what Azure DevOps asserts: Entra, or itself, which is the older way."""

    ENTRA = "entra"
    AZURE_DEVOPS = "azure-devops"


def issuer_of(kind: Issuer, tenant: str, organization_id: str) -> str:
    """Return the issuer of an organisation's assertions."""
    if kind is Issuer.ENTRA:
        return f"https://login.microsoftonline.com/{tenant}/v2.0"
    return f"https://vstoken.dev.azure.com/{organization_id}"


def entra_subject(tenant: str, organization_id: str, endpoint_id: str) -> str:
    """Return the subject that Entra signs; it stays when the connection, its project or organisation is renamed."""
    return f"/eid1/c/pub/t/{_short(tenant)}/a/{_short(_AZURE_DEVOPS)}/sc/{organization_id}/{endpoint_id}"


def announced(tenant: str, organization_id: str, endpoint_id: str) -> dict[str, str]:
    """Return the authorization parameters in which a connection tells what it signs in with from now on."""
    subject = entra_subject(tenant, organization_id, endpoint_id)
    return {ISSUER: issuer_of(Issuer.ENTRA, tenant, organization_id), SUBJECT: subject}


def azure_devops_subject(organization: str, project: str, name: str) -> str:
    """Return the subject that Azure DevOps signs itself; it is made of names and changes with them."""
    return f"sc://{organization}/{project}/{name}"


def assertion(cloud: Cloud, issuer: str, subject: str) -> str:
    """Return what a connection signs in with."""
    return cloud.tokens.assertion(issuer, subject, EXCHANGE, _SECONDS)


def _short(guid: str) -> str:
    return base64.urlsafe_b64encode(uuid.UUID(guid).bytes_le).decode().rstrip("=")
