"""Knows which rights the code declares: of its kinds, of its own, and of the steps of federations."""

from datetime import UTC, datetime

from rekey import names, own_permissions
from rekey.federation.rights import needed
from rekey.model.federation import Federation, Identity, Mode
from rekey.ports import Permission
from rekey.registry import CONSUMER_KINDS, CREDENTIAL_KINDS, consumer_kind, credential_kind

_SCOPE = "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-shop"
_STEPS = [value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)]


def of_kinds() -> list[Permission]:
    """Return the rights of every kind of credential and consumer."""
    found = [p for kind in CREDENTIAL_KINDS for p in credential_kind(kind).permissions]
    return found + [p for kind in CONSUMER_KINDS for p in consumer_kind(kind).permissions]


def of_rekey() -> list[Permission]:
    """Return Rekey's own."""
    return [own_permissions.STORAGE, own_permissions.MAIL, own_permissions._vault("any")]


def of_federations() -> list[Permission]:
    """Return those of every step in every mode, with an application and with a managed identity."""
    identities = (None, Identity(client_id="", arm_id=f"{_SCOPE}/providers/x/y/z"))
    found = [
        p for walk in map(_walk, Mode) for who in identities for s in _STEPS for p in needed(s, walk, who, (_SCOPE,))
    ]
    return list(dict.fromkeys(found))


def _walk(mode: Mode) -> Federation:
    started = datetime(2026, 11, 1, tzinfo=UTC)
    return Federation(id="", instance="", mode=mode, organization="contoso", project="Shop", started=started)
