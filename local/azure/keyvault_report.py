"""Knows how the state of a vault is told to tests and the demo, secret values included."""

from typing import Any

from local.azure.keyvault_state import Secret, Vault


def vault_state(vault: Vault) -> dict[str, Any]:
    """Return everything a vault holds; `deleted` has whatever is not readable now, its phase says why."""
    active = {secret.name: _secret_state(secret) for secret in vault.active()}
    gone = {s.name: _secret_state(s) for s in vault.secrets.values() if s.name not in active}
    return {"arm_id": vault.arm_id, "secrets": active, "deleted": gone, "purged": list(vault.purged)}


def _secret_state(secret: Secret) -> dict[str, Any]:
    return {
        "phase": str(secret.phase),
        "latest": secret.latest.id,
        "versions": [
            {
                "id": version.id,
                "value": version.value,
                "enabled": version.enabled,
                "exp": version.exp,
                "nbf": version.nbf,
                "tags": version.tags or {},
                "content_type": version.content_type,
                "created": version.created,
                "updated": version.updated,
                "reads": [{"caller": read.caller, "at": read.at.isoformat()} for read in version.reads],
            }
            for version in secret.versions
        ],
    }
