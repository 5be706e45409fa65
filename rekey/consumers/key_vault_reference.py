"""Has App Service read a Key Vault reference again (`key-vault-reference://<subscription>/<group>/<site>/<setting>`).

Nothing secret is written, and no setting is read: the site takes the newest version from the vault by itself, within
a day, or at once when asked. Source: https://learn.microsoft.com/azure/app-service/app-service-key-vault-references.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from rekey.app_service import ROLE, TYPE, Site
from rekey.arm_uri import Place, bound, parsed
from rekey.clients import Clients
from rekey.errors import NotYetError, PermanentError
from rekey.model import ConsumerTarget, Rotation, When
from rekey.ports import ConsumerFacts, Handover, Permission
from rekey.resource_manager import right
from rekey.settings import Settings

SCHEME = "key-vault-reference"
RESOLVED = "Resolved"
WAIT_FOR = frozenset({"", "Initialized", "FetchTimedOut"})
"""Statuses that end by themselves."""
WHAT_TO_DO: Mapping[str, str] = MappingProxyType(
    {
        "InvalidSyntax": "Write the setting as @Microsoft.KeyVault(SecretUri=https://<vault>/secrets/<secret>).",
        "MSINotEnabled": "Give the site a managed identity, or set keyVaultReferenceIdentity to one that it has.",
        "VaultNotFound": "Correct the vault's name in the reference; a private vault must be resolvable by the site.",
        "SecretNotFound": "Correct the secret's name in the reference.",
        "SecretVersionNotFound": "Take the version out of the reference.",
        "AccessToKeyVaultDenied": "Grant the site's identity `Key Vault Secrets User` on the vault, and let the vault's"
        " firewall admit the site's network.",
        "UnauthorizedClient": "Give the site an identity of the vault's own tenant.",
        "OtherReasons": "Look at the reference's details in the portal, at the site's environment variables.",
    }
)
"""By the status that App Service gives a reference: https://learn.microsoft.com/rest/api/appservice/web-apps."""
_URI = re.compile(
    r"SecretUri=https://(?P<host>[^/;]+)/secrets/(?P<secret>[^/;]+)(?:/(?P<version>[^/;]*))?/?", re.IGNORECASE
)
_NAMES = re.compile(
    r"VaultName=(?P<vault>[^;]+);SecretName=(?P<secret>[^;]+)(?:;SecretVersion=(?P<version>[^;]*))?;?", re.IGNORECASE
)


class KeyVaultReference:
    """An app setting that refers to the managed secret, without a version."""

    permissions: ClassVar[tuple[Permission, ...]] = (right(ROLE, "having Key Vault references read again"),)
    when: ClassVar[When] = When.WITH_OTHERS

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        return bound(_place(uri), (TYPE,), vault, settings).uri

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:
        """Check that the reference is to this secret, resolves, and may be refreshed."""
        site = self._site(uri)
        if await site.described() is None:
            raise PermanentError("no-site", f"there is no site for {uri}", "Correct the secret's tags.")
        await site.require_rights(("config/read", "config/write"))
        _require_resolved(await self._reference(site, rotation, uri), uri)
        return ConsumerFacts(object_id=site.arm_id)

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> None:
        """Have the site read its references again, unless it has the published version already."""
        site = self._site(target.uri)
        reference = await self._reference(site, rotation, target.uri)
        if reference.get("activeVersion") != handover.version:
            await site.refresh()

    async def confirm(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str:
        """Compare the version that the site says it has with the published one."""
        reference = await self._reference(self._site(target.uri), rotation, target.uri)
        _require_resolved(reference, target.uri)
        active = str(reference.get("activeVersion") or "")
        if not active:
            return "App Service read the reference again and resolved it; which version it got, it doesn't say"
        if active.lower() != handover.version.lower():
            raise NotYetError("old-version", f"{target.uri}: the site still has another version than the published one")
        return "App Service says that the reference resolved to the published version"

    def _site(self, uri: str) -> Site:
        return Site(self._clients, _place(uri).arm_id(TYPE))

    async def _reference(self, site: Site, rotation: Rotation, uri: str) -> dict[str, Any]:
        """Return what App Service says of the reference; PermanentError if it is none to this secret."""
        found = await site.reference(_place(uri).item)
        if found is None:
            raise PermanentError(
                "no-reference",
                f"{uri} is no Key Vault reference",
                f"Set it to {self._wanted(rotation)}; for a setting with a value of its own there is app-setting://.",
            )
        if found.get("status") == "InvalidSyntax":
            _require_resolved(found, uri)
        self._require_this_secret(rotation, uri, found)
        return found

    def _require_this_secret(self, rotation: Rotation, uri: str, reference: dict[str, Any]) -> None:
        host, secret, version = self._pointing(reference)
        wanted = self._clients.settings.cloud.vault_url(rotation.vault).removeprefix("https://")
        if (host.lower(), secret.lower()) != (wanted.lower(), rotation.secret.lower()):
            raise PermanentError(
                "other-secret",
                f"{uri} refers to another secret: {host[:80]!r}, {secret[:130]!r}",
                f"Correct the secret's tags, or set it to {self._wanted(rotation)}",
            )
        if version:
            raise PermanentError(
                "pinned-version",
                f"{uri} refers to one version, so that it never gets another",
                f"Take the version out of the reference: {self._wanted(rotation)}",
            )

    def _pointing(self, reference: dict[str, Any]) -> tuple[str, str, str]:
        """Return vault host, secret and version of a reference's own text, else as App Service took it."""
        text = str(reference.get("reference") or "").strip()
        inner = text[text.find("(") + 1 : -1].replace(" ", "") if text.endswith(")") else ""
        if found := _URI.fullmatch(inner):
            return found["host"], found["secret"], found["version"] or ""
        found = _NAMES.fullmatch(inner)
        told = found.groupdict() if found else {}
        vault = told.get("vault") or str(reference.get("vaultName") or "")
        secret = told.get("secret") or str(reference.get("secretName") or "")
        version = (told.get("version") or "") if found else str(reference.get("secretVersion") or "")
        return f"{vault}.{self._clients.settings.cloud.vault_suffix}", secret, version

    def _wanted(self, rotation: Rotation) -> str:
        origin = self._clients.settings.cloud.vault_url(rotation.vault)
        return f"@Microsoft.KeyVault(SecretUri={origin}/secrets/{rotation.secret}/)"


def _require_resolved(reference: dict[str, Any], uri: str) -> None:
    status = str(reference.get("status") or "")
    if status in WAIT_FOR:
        raise NotYetError("not-resolved", f"{uri}: App Service hasn't resolved the reference yet")
    if status != RESOLVED:
        known = status if status in WHAT_TO_DO else "OtherReasons"
        raise PermanentError(
            "not-resolved", f"{uri}: App Service can't resolve the reference ({known})", WHAT_TO_DO[known]
        )


def _place(uri: str) -> Place:
    return parsed(uri, SCHEME, "setting", slots=True)
