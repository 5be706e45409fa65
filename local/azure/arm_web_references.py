"""Knows how the simulated App Service resolves Key Vault references, and under which status it reports what fails.

Source: https://learn.microsoft.com/azure/app-service/app-service-key-vault-references. The vaults are the simulated
ones, read with the site's identity: that shows among their reads. An app gets the reference's own text while it can't
be resolved.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.azure.directory import Identity
from local.azure.keyvault_state import Read, Refusal, RefusedError, Vault

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<inner>.*)\)", re.IGNORECASE)
_URI = re.compile(
    r"SecretUri=https://(?P<vault>[^./]+)\.vault\.[^/]+/secrets/(?P<secret>[^/]+)(?:/(?P<version>[^/]*))?/?",
    re.IGNORECASE,
)
_PARTS = re.compile(
    r"VaultName=(?P<vault>[^;]+);\s*SecretName=(?P<secret>[^;]+)(?:;\s*SecretVersion=(?P<version>[^;]*))?;?",
    re.IGNORECASE,
)
_DETAILS = {
    "Resolved": "Reference has been successfully resolved.",
    "Initialized": "Reference has not been resolved yet.",
}


@dataclass(frozen=True)
class Resolved:
    """What came of one reference: its status, where it points, and the version and value the app gets."""

    status: str
    vault: str = ""
    secret: str = ""
    pinned: str = ""
    active: str = ""
    value: str = ""

    def shown(self, reference: str, *, tells_version: bool) -> dict[str, Any]:
        """Return the properties of an answer; a version is told only where the service tells it."""
        told = {"vaultName": self.vault, "secretName": self.secret, "secretVersion": self.pinned}
        if tells_version:
            told["activeVersion"] = self.active
        details = _DETAILS.get(self.status, f"Key Vault reference could not be resolved: {self.status}.")
        return {
            "reference": reference,
            "status": self.status,
            "source": "KeyVault",
            "details": details,
            **{name: value for name, value in told.items() if value},
        }


def is_reference(value: str) -> bool:
    """Tell whether an app setting's value is meant as a Key Vault reference."""
    return value.lower().startswith("@microsoft.keyvault(")


def resolve(cloud: "Cloud", reference: str, identity: Identity | None) -> Resolved:
    """Read what a reference names, as that identity."""
    inner = _REFERENCE.fullmatch(reference)
    found = inner and (_URI.fullmatch(inner["inner"]) or _PARTS.fullmatch(inner["inner"]))
    if not found:
        return Resolved("InvalidSyntax")
    vault, secret, pinned = found["vault"].lower(), found["secret"], found["version"] or ""
    status, active, value = _read(cloud, cloud.keyvault.vaults.get(vault), secret, pinned, identity)
    return Resolved(status, vault, secret, pinned, active, value)


def _read(
    cloud: "Cloud", vault: Vault | None, secret: str, pinned: str, identity: Identity | None
) -> tuple[str, str, str]:
    """Return status, version and value."""
    if identity is None:
        return "MSINotEnabled", "", ""
    if vault is None:
        return "VaultNotFound", "", ""
    if "get" not in vault.roles.get(identity.object_id, frozenset()):
        return "AccessToKeyVaultDenied", "", ""
    try:
        version = vault.readable(secret, pinned)
    except RefusedError as refused:
        if refused.reason is not Refusal.NOT_FOUND:
            return "OtherReasons", "", ""
        return "SecretVersionNotFound" if refused.version else "SecretNotFound", "", ""
    version.reads.append(Read(identity.client_id, _now(cloud)))
    cloud.audit.read_for(identity, vault, f"{secret}/{version.id}")
    return "Resolved", version.id, version.value


def _now(cloud: "Cloud") -> datetime:
    return cloud.clock.now()
