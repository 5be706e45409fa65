"""The rights that Rekey itself needs, whatever kinds a rotation has: which step needs which, and how it is granted."""

from rekey import names
from rekey.model import Policy
from rekey.ports import Permission
from rekey.registry import consumer_kind, credential_kind
from rekey.settings import Settings
from rekey.vault import grant

OFFICER = "Key Vault Secrets Officer"
STORAGE = Permission(
    "storage",
    "Storage Blob Data Owner",
    "records, leases and the outbox, in the app's own storage account",
    "az role assignment create --assignee <identity> --role 'Storage Blob Data Owner' --scope <storage account's id>",
)
MAIL = Permission(
    "mail",
    "Communication and Email Service Owner",
    "sending mail",
    "az role assignment create --assignee <identity> --role 'Communication and Email Service Owner' "
    "--scope <Communication Services resource's id>",
)


def needed(step: str, vault: str, policy: Policy, settings: Settings, consumer: str = "") -> tuple[Permission, ...]:
    """Return every right a step needs: Rekey's own, and those of the kinds it asks; `consumer` is a kind's name."""
    own = {"vault": _vault(vault), "staging": _vault(settings.staging_vault), "storage": STORAGE, "mail": MAIL}
    found = [own[name] for name in _OWN.get(step, ())]
    if step in _OF_CREDENTIAL:
        found += credential_kind(policy.credential.kind).permissions
    if step in _OF_CONSUMERS:
        kinds = [consumer] if consumer else [ref.kind for ref in policy.consumers]
        found += [permission for kind in kinds for permission in consumer_kind(kind).permissions]
    return tuple(dict.fromkeys(found))


def _vault(name: str) -> Permission:
    return Permission("vault", OFFICER, f"reading, writing and disabling secret versions in {name}", grant(name))


_OWN = {
    names.READ_POLICY: ("vault",),
    names.OPEN_RECORD: ("storage",),
    names.PREFLIGHT: ("vault", "storage"),
    names.NOTIFY_OWNERS: ("mail", "storage"),
    names.GENERATE_CREDENTIAL: ("staging", "storage"),
    names.VERIFY_CREDENTIAL: ("staging", "storage"),
    names.SET_SECRET_VERSION: ("vault", "staging", "storage"),
    names.DISABLE_OLD_VERSION: ("vault", "storage"),
    names.UPDATE_CONSUMER: ("vault", "storage"),
    names.CONFIRM_CONSUMER: ("vault", "storage"),
    names.READ_DECISIONS: ("storage",),
    names.ENABLE_OLD_VERSION: ("vault", "storage"),
    names.CHECK_OLD_CREDENTIAL_USE: ("storage",),
    names.RETIRE_OLD_CREDENTIAL: ("storage",),
    names.CLOSE_RECORD: ("storage",),
}
_OF_CREDENTIAL = frozenset({names.PREFLIGHT, names.GENERATE_CREDENTIAL, names.RETIRE_OLD_CREDENTIAL})
_OF_CONSUMERS = frozenset({names.PREFLIGHT, names.UPDATE_CONSUMER, names.CONFIRM_CONSUMER})
