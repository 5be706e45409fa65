"""The names that Key Vault's audit log has for what is done in a vault, as far as some rule asks for them.

https://learn.microsoft.com/azure/key-vault/general/logging#operation-names-table
"""

OF_SECRETS = "Secret"
"""How the names of all that is done with secrets begin."""

READS = frozenset({"SecretGet"})
"""What gives a value away. A backup does too, encrypted: that is sensitive whoever makes it."""

CHANGES = frozenset({"SecretSet", "SecretUpdate", "SecretRestore", "SecretRecover"})
"""What makes or alters a version."""

REMOVALS = frozenset({"SecretDelete", "SecretPurge"})

COPIES = frozenset({"SecretBackup", "KeyBackup", "CertificateBackup"})

OF_OTHERS = frozenset({"KeyDelete", "KeyPurge", "CertificateDelete", "CertificatePurge"})
"""What else may be lost in a vault: with a certificate goes the secret that holds its key."""

OF_VAULT = frozenset(
    {"VaultPut", "VaultPatch", "VaultDelete", "VaultPurge", "VaultAccessPolicyChangedEventGridNotification"}
)
"""Access policies, firewall, role-based access, soft delete: all are properties of the vault."""

SENSITIVE = REMOVALS | COPIES | OF_OTHERS | OF_VAULT


def kept(operation: str) -> bool:
    """Tell whether anybody asks for that."""
    return operation.startswith(OF_SECRETS) or operation in SENSITIVE
