"""Knows how an endpoint of a seed document becomes a service connection of its scheme, and what its application gets.

The shapes are those that the REST API returns for connections made in the portal.
"""

import uuid
from datetime import timedelta
from typing import Any, Literal

import msgspec

from local.azure import azuredevops_federation as federation
from local.azure.azuredevops_call import identity
from local.azure.azuredevops_state import Endpoint, Execution, Organization, Project, new_id
from local.azure.cloud import Cloud
from local.azure.directory import Application, Identity
from local.azure.directory_federation import FederatedCredential
from local.azure.directory_seed import seed_federated

_SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
_PUBLISH_PROFILE = "PublishProfile"
_NAMELESS = frozenset({"ManagedServiceIdentity", _PUBLISH_PROFILE})
"""Schemes of connections that say no application."""


class ExecutionSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A use of a connection that began in the past and took `seconds`, by a pipeline of which nothing else is known."""

    days_ago: float
    seconds: float = 0.0
    pipeline: str = "nightly"
    result: Literal["succeeded", "succeededWithIssues", "failed", "canceled", "skipped", "abandoned"] = "succeeded"


class CheckSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A check on a connection; `settings` are as the API takes them."""

    type: Literal["Approval", "Task Check", "ExclusiveLock"]
    settings: dict[str, Any] | None = None
    timeout: int = 43200
    disabled: bool = False


class EndpointSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service connection. Who it signs in as is `application`, `identity`, or `client_id` of somebody who is gone.

    `key` goes before `password_index`; with `certificate` it is what the certificate's text is. `issuer` is of a
    federated connection; `federated_credential` is what its application or identity has for it: the matching one, one
    of another case, one of another connection (as after a renaming), or none. `age_days` is how long
    ago it was made and last changed. `announces`: it shows issuer and subject although it has a key.
    `all_pipelines`, or the `pipelines` of those names, may use it without being asked, in the project that owns it.
    """

    application: str = ""
    identity: str = ""
    client_id: uuid.UUID | None = None
    password_index: int = 0
    key: str | None = None
    certificate: bool = False
    type: str = "azurerm"
    scheme: str = "ServicePrincipal"
    issuer: federation.Issuer = federation.Issuer.ENTRA
    federated_credential: Literal["match", "wrong-case", "other", "none"] = "match"
    creation_mode: Literal["Manual", "Automatic"] = "Manual"
    description: str = ""
    shared_with: list[str] = []
    announces: bool = False
    extra: dict[str, Any] = {}
    age_days: float = 0.0
    executions: tuple[ExecutionSeed, ...] = ()
    all_pipelines: bool = False
    pipelines: tuple[str, ...] = ()
    checks: tuple[CheckSeed, ...] = ()
    id: str | None = None


class EndpointSeeds:
    """Turns seeds into connections; names of applications and identities are looked up in the directory."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def connection(
        self, organization: Organization, owner: Project, name: str, seed: EndpointSeed, at: str
    ) -> Endpoint:
        """Return a connection; a ValueError names the field, below `at`, that doesn't fit."""
        shared = [organization.project(other) for other in seed.shared_with]
        if None in shared:
            raise ValueError(f"{at}.shared_with: got {seed.shared_with}, expected projects of {organization.name}")
        projects = [owner, *(project for project in shared if project is not None)]
        try:
            holder = self._holder(seed)
            document = self._document(organization, projects, name, seed)
            parameters, secrets = self._authorization(organization, document, seed, holder)
        except ValueError as problem:
            raise ValueError(f"{at}: {problem}") from None
        if seed.announces:
            parameters |= federation.announced(self._cloud.tenant, organization.id, document["id"])
        document["authorization"]["parameters"] = parameters
        document["data"] |= _data(seed, holder)
        if seed.scheme == federation.SCHEME and holder:
            self._federate(holder, seed, name, parameters)
        made = Endpoint({**document, **seed.extra}, secrets, document["id"])
        made.executions = tuple(self._execution(one) for one in seed.executions)
        return made

    def _execution(self, seed: ExecutionSeed) -> Execution:
        begun = self._cloud.clock.now() - timedelta(days=seed.days_ago)
        return Execution(seed.pipeline, begun, begun + timedelta(seconds=seed.seconds), seed.result)

    def _holder(self, seed: EndpointSeed) -> Application | Identity | None:
        given = [bool(seed.application), bool(seed.identity), bool(seed.client_id)]
        if sum(given) != (0 if seed.scheme in _NAMELESS else 1):
            wanted = "none" if seed.scheme in _NAMELESS else "exactly one"
            raise ValueError(f"expected {wanted} of application, identity and client_id with scheme {seed.scheme}")
        if seed.identity:
            return self._cloud.directory.identity(seed.identity)
        return self._cloud.directory.application(seed.application) if seed.application else None

    def _authorization(
        self, organization: Organization, document: dict[str, Any], seed: EndpointSeed, holder: Any
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the visible parameters, and the secret ones."""
        signs_in = {"tenantid": self._cloud.tenant, "serviceprincipalid": _client_id(seed, holder)}
        match seed.scheme:
            case federation.SCHEME:
                return signs_in | self._federated(organization, document, seed), {}
            case "ManagedServiceIdentity":
                return {"tenantid": self._cloud.tenant}, {}
            case "PublishProfile":
                site = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.Web/sites/shop"
                return {"tenantId": self._cloud.tenant, "resourceId": site}, {"publishProfile": self._secret(seed)}
            case "ServicePrincipal" if seed.certificate:
                secret = {"servicePrincipalCertificate": self._secret(seed)}
                return signs_in | {"authenticationType": "spnCertificate"}, secret
        key = seed.key or self._cloud.directory.password_value(seed.application, seed.password_index)
        return signs_in | {"authenticationType": "spnKey"}, {"serviceprincipalkey": key}

    def _secret(self, seed: EndpointSeed) -> str:
        return seed.key or self._cloud.new_secret()

    def _federated(self, organization: Organization, document: dict[str, Any], seed: EndpointSeed) -> dict[str, str]:
        tenant, project = self._cloud.tenant, document["serviceEndpointProjectReferences"][0]["projectReference"]
        issuer = federation.issuer_of(seed.issuer, tenant, organization.id)
        if seed.issuer is federation.Issuer.ENTRA:
            subject = federation.entra_subject(tenant, organization.id, document["id"])
            kind = {"workloadIdentityFederationIssuerType": "EntraID"}
        else:
            subject = federation.azure_devops_subject(organization.name, project["name"], document["name"])
            kind = {}
        return {federation.ISSUER: issuer, federation.SUBJECT: subject, **kind}

    def _federate(
        self, holder: Application | Identity, seed: EndpointSeed, name: str, parameters: dict[str, Any]
    ) -> None:
        subject = parameters[federation.SUBJECT]
        if seed.federated_credential == "none":
            return
        if seed.federated_credential == "wrong-case":
            subject = subject.upper()
        elif seed.federated_credential == "other":
            former = new_id() if seed.issuer is federation.Issuer.ENTRA else f"former-{name}"
            subject = f"{subject.rpartition('/')[0]}/{former}"
        made = FederatedCredential(f"azdo-{name}", parameters[federation.ISSUER], subject, self._cloud.clock.now())
        seed_federated(holder.federated, made)

    def _document(
        self, organization: Organization, projects: list[Project], name: str, seed: EndpointSeed
    ) -> dict[str, Any]:
        creator = administrator(self._cloud, organization)
        references = [
            {
                "projectReference": {"id": project.id, "name": project.name},
                "name": name,
                "description": seed.description,
            }
            for project in projects
        ]
        made = (self._cloud.clock.now() - timedelta(days=seed.age_days)).isoformat()
        return {
            "data": {
                "environment": "AzureCloud",
                "scopeLevel": "Subscription",
                "subscriptionId": _SUBSCRIPTION,
                "subscriptionName": "simulated subscription",
            },
            "id": (seed.id or new_id()).lower(),
            "name": name,
            "type": seed.type,
            "url": "https://management.azure.com/",
            "createdBy": creator,
            "description": seed.description,
            "authorization": {"parameters": {}, "scheme": seed.scheme},
            "isShared": len(projects) > 1,
            "isReady": True,
            "isOutdated": False,
            "isDisabled": False,
            "creationDate": made,
            "modificationDate": made,
            "modifiedBy": creator,
            "operationStatus": {"state": "Ready", "statusMessage": ""},
            "owner": "library",
            "serviceEndpointProjectReferences": references,
        }


def _client_id(seed: EndpointSeed, holder: Application | Identity | None) -> str:
    match holder:
        case Application(app_id=client_id) | Identity(client_id=client_id):
            return client_id
    return str(seed.client_id or "")


def _data(seed: EndpointSeed, holder: Application | Identity | None) -> dict[str, str]:
    """Return what a connection's data say of how it was made; a managed identity of the agent says nothing."""
    if seed.scheme == "ManagedServiceIdentity":
        return {}
    made: dict[str, str] = {"creationMode": seed.creation_mode}
    if seed.scheme == federation.SCHEME:
        kind = "ManagedIdentity" if isinstance(holder, Identity) else f"AppRegistration{seed.creation_mode}"
        made["identityType"] = kind
    if seed.creation_mode == "Automatic" and isinstance(holder, Application):
        made |= {"appObjectId": holder.object_id, "spnObjectId": holder.service_principal or ""}
    return made


def administrator(cloud: Cloud, organization: Organization) -> dict[str, Any]:
    """Return the identity reference of whoever made what is seeded, as the examples of the specification have it."""
    name = f"administrator@{organization.name}.example"
    reference = identity(cloud.url("azuredevops"), organization, organization.id, name)
    return {**reference, "displayName": "Project Administrator"}
