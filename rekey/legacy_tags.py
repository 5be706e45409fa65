"""Translates the tags that people already have on their secrets, from before Rekey.

`azureADAppId` and its companions come from an earlier rotation function; `ProviderAddress` and its companions from
Microsoft's samples (https://learn.microsoft.com/azure/key-vault/secrets/tutorial-rotation-dual).
"""

import re
from urllib.parse import quote

from rekey.errors import InputError, ScopeError
from rekey.settings import Settings
from rekey.tag_values import WHOLE

APP_ID = "azureADAppId"
APP_NAME = "azureADAppName"
ACCOUNT_URL = "azureDevOpsAccountUrl"
PROJECT = "azureDevOpsProjectName"
CONNECTION = "azureDevOpsConnectionName"
DEVOPS_TAGS = (ACCOUNT_URL, PROJECT, CONNECTION)
MONTHS = "SecretDurationInMonths"
DAYS = "ValidityPeriodDays"
CREDENTIAL_ID = "CredentialId"
PROVIDER = "ProviderAddress"

NAMES = (APP_ID, APP_NAME, *DEVOPS_TAGS, MONTHS, DAYS, CREDENTIAL_ID, PROVIDER)
CREDENTIAL_TAGS = (APP_ID, PROVIDER)
"""Those that say which credential it is, and so make a policy."""

APP_KIND = "entra-app-password"
CONNECTION_KIND = "azdo-service-connection"
_PROVIDER_KINDS = {"microsoft.storage/storageaccounts": "storage-account-key"}

_ORGANIZATION = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?"
_ARM_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/(?P<type>[^/]+/[^/]+)/[^/]+", re.IGNORECASE | re.ASCII
)
# https://learn.microsoft.com/azure/devops/organizations/settings/naming-restrictions
_NOT_IN_PROJECT = frozenset("\\/:*?\"'<>;#$*{},+=[]|%&~@")


def organization(url: str, vault: str, settings: Settings) -> str:
    """Return the Azure DevOps organization of an account URL, which must be one that this vault's scopes name.

    The URL is compared, never fetched, and only in the spelling that Azure DevOps itself shows.
    """
    origin = settings.cloud.azure_devops
    forms = [re.escape(origin) + f"/(?P<name>{_ORGANIZATION})/?"]
    if origin == "https://dev.azure.com":
        forms.append(f"https://(?P<name>{_ORGANIZATION.replace('A-Z', '')})\\.visualstudio\\.com/?")
    for form in forms:
        if found := re.fullmatch(form, url):
            return _allowed(found["name"], url, vault, settings)
    raise InputError(WHOLE, url, f"the organization's address, {origin}/<organization>")


def _allowed(name: str, url: str, vault: str, settings: Settings) -> str:
    if not settings.allows_organization(vault, name):
        raise ScopeError(WHOLE, url, f"an organization that REKEY_SCOPES allows the secrets of vault {vault}")
    return name


def project(name: str) -> str:
    """Return a project's name if Azure DevOps would accept it."""
    if not _speakable(name, 64) or _NOT_IN_PROJECT & set(name) or name[0] in "._" or name[-1] == ".":
        raise InputError(WHOLE, name, "the name of an Azure DevOps project")
    return name


def connection(name: str) -> str:
    """Return a service connection's name, which may hold nearly anything that can be seen."""
    if not _speakable(name, 256) or name in {".", ".."}:
        raise InputError(WHOLE, name, "the name of an Azure DevOps service connection")
    return name


def connection_uri(organization_name: str, project_name: str, connection_name: str) -> str:
    """Return the consumer URI of a service connection, each segment percent-encoded."""
    segments = (quote(part, safe="") for part in (organization_name, project_name, connection_name))
    return f"{CONNECTION_KIND}://{'/'.join(segments)}"


def provider_kind(arm_id: str) -> str:
    """Return the credential kind of the resource an ARM id names."""
    found = _ARM_ID.fullmatch(arm_id)
    kind = _PROVIDER_KINDS.get(found["type"].lower()) if found and _speakable(arm_id, 1024) else None
    if kind is None:
        raise InputError(WHOLE, arm_id, f"the ARM id of a resource of type {', '.join(_PROVIDER_KINDS)}")
    return kind


def key_name(key_id: str) -> str:
    """Return what older tags call a key: its name, without what follows an @ in Rekey's ids of keys made in turn."""
    return key_id.partition("@")[0]


def _speakable(name: str, longest: int) -> bool:
    return 0 < len(name) <= longest and name.isprintable() and name == name.strip()
