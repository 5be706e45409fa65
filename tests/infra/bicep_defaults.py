"""What is secure by default: for each resource type, properties that every resource of that type has to be given."""

from collections.abc import Mapping
from types import MappingProxyType

from tests.infra.bicep_source import Declaration, Expression, Template, Value, source, walk

GIVEN = Expression
"""Stands in DEFAULTS for what is handed in: a parameter, a reference."""

DEFAULTS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "Microsoft.Storage/storageAccounts": {
            "properties.allowSharedKeyAccess": False,
            "properties.allowBlobPublicAccess": False,
            "properties.isLocalUserEnabled": False,
            "properties.minimumTlsVersion": "TLS1_2",
            "properties.supportsHttpsTrafficOnly": True,
            "properties.publicNetworkAccess": GIVEN,
        },
        "Microsoft.KeyVault/vaults": {
            "properties.enableRbacAuthorization": True,
            "properties.enableSoftDelete": True,
            "properties.softDeleteRetentionInDays": 7,
            "properties.publicNetworkAccess": GIVEN,
        },
        "Microsoft.Web/sites": {
            "properties.httpsOnly": True,
            "properties.publicNetworkAccess": GIVEN,
            "properties.siteConfig.minTlsVersion": "1.2",
            "properties.siteConfig.scmMinTlsVersion": "1.2",
            "properties.siteConfig.ftpsState": "Disabled",
            "properties.siteConfig.remoteDebuggingEnabled": False,
            "properties.functionAppConfig.deployment.storage.authentication.type": "UserAssignedIdentity",
        },
        "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
        "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
        "Microsoft.OperationalInsights/workspaces": {"properties.features.disableLocalAuth": True},
        "Microsoft.Communication/communicationServices": {"properties.disableLocalAuth": True},
        "Microsoft.Communication/emailServices/domains": {"properties.userEngagementTracking": "Disabled"},
        "Microsoft.EventGrid/systemTopics": {"identity.type": "SystemAssigned"},
        "Microsoft.EventGrid/systemTopics/eventSubscriptions": {
            "properties.deliveryWithResourceIdentity.identity.type": "SystemAssigned",
            "properties.deliveryWithResourceIdentity.destination.endpointType": "StorageQueue",
            "properties.deadLetterWithResourceIdentity.identity.type": "SystemAssigned",
            "properties.deadLetterWithResourceIdentity.deadLetterDestination.endpointType": "StorageBlob",
        },
        "Microsoft.Authorization/roleAssignments": {
            "scope": GIVEN,
            "properties.principalId": GIVEN,
            "properties.principalType": "ServicePrincipal",
        },
    }
)

AUTHENTICATION: Mapping[str, object] = MappingProxyType(
    {
        "properties.platform.enabled": True,
        "properties.globalValidation.requireAuthentication": True,
        "properties.globalValidation.unauthenticatedClientAction": "Return401",
        "properties.globalValidation.excludedPaths": [],
        "properties.httpSettings.requireHttps": True,
        "properties.identityProviders.azureActiveDirectory.enabled": True,
        "properties.identityProviders.azureActiveDirectory.registration.clientId": GIVEN,
        "properties.identityProviders.azureActiveDirectory.registration.openIdIssuer": GIVEN,
        "properties.identityProviders.azureActiveDirectory.validation.allowedAudiences": list,
        "properties.identityProviders.azureActiveDirectory.validation.defaultAuthorizationPolicy.allowedApplications": (
            GIVEN
        ),
        "properties.identityProviders.azureActiveDirectory.validation.defaultAuthorizationPolicy.allowedPrincipals"
        ".identities": GIVEN,
    }
)
"""Of `authsettingsV2`: who may call the operator API, and that nothing is left out."""

NEVER: Mapping[str, str] = MappingProxyType(
    {
        "Microsoft.KeyVault/vaults": "properties.enablePurgeProtection",  # a published value has to be gone at once
        "Microsoft.EventGrid/systemTopics/eventSubscriptions": "properties.destination",  # delivery without identity
    }
)

SECRETS = frozenset({"listKeys", "listAccountSas", "getSecret", "reference"})
"""Functions that bring a secret, or anything at all, into a template."""


def weaknesses(resource: Declaration) -> list[str]:
    """Say where a resource that is made is weaker than it has to be."""
    if resource.existing:
        return []
    wanted = DEFAULTS.get(resource.type, {})
    if resource.body.get("name") == "authsettingsV2":
        wanted = AUTHENTICATION
    found = [
        f"{resource.symbol}: {path} is not {what}" for path, what in wanted.items() if not _is(resource, path, what)
    ]
    forbidden = NEVER.get(resource.type)
    return found + (
        [f"{resource.symbol}: {forbidden} is set"] if forbidden and at(resource.body, forbidden) is not None else []
    )


def secrets(template: Template) -> list[str]:
    """Name the places where a template gets at a key or asks for a secret."""
    calls = (
        source(node.children[0]).rpartition(".")[2] for node in walk(template.root) if node.type == "call_expression"
    )
    return [f"{template.path.name}: {name}" for name in calls if name in SECRETS | {"secure"}]


def at(body: Value, path: str) -> Value:
    """Return what is written at a dotted path, None if nothing is."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _is(resource: Declaration, path: str, what: object) -> bool:
    written = at(resource.body, path)
    if isinstance(what, type):
        return isinstance(written, what) and bool(written)
    return written == what and type(written) is type(what)
