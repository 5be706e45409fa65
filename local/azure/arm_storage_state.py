"""Knows what a storage account is: its two keys and since when each is valid, and what it answers about itself.

A key is 64 random bytes, in base64. A regenerated one isn't accepted everywhere at once, nor is the replaced one
refused: for how long is a switch.
"""

import base64
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from local.azure.clock import Clock

KEY_NAMES: tuple[Literal["key1"], Literal["key2"]] = ("key1", "key2")
_KEY_BYTES = 64
TYPE = "Microsoft.Storage/storageAccounts"


def start_of_keys(canary: str) -> str:
    """Return what every key begins with: the letters and digits of the canary, filled up to whole bytes."""
    known = re.sub(r"[^A-Za-z0-9]", "", canary)
    return known + "A" * (-len(known) % 4)


def new_key(canary: str) -> str:
    """Return a fresh key that begins with the letters and digits of the canary."""
    start = base64.b64decode(start_of_keys(canary))
    return base64.b64encode(start + secrets.token_bytes(_KEY_BYTES - len(start))).decode()


@dataclass
class Key:
    """One of the two keys; `replaced` is what the last regeneration made invalid."""

    value: str
    created: datetime
    age_known: bool = True
    replaced: str | None = None

    def accepted(self, now: datetime, propagation: float) -> str:
        """Return the value that is accepted: for as long as a regeneration takes to be known, the replaced one."""
        if self.replaced and now < self.created + timedelta(seconds=propagation):
            return self.replaced
        return self.value

    def creation_time(self) -> str | None:
        """Return since when it is valid, in seven decimals; None on accounts older than the property."""
        return f"{self.created:%Y-%m-%dT%H:%M:%S.%f}0Z" if self.age_known else None


@dataclass
class StorageAccount:
    """One storage account; `allow_shared_key_access` None means allowed."""

    name: str
    subscription: str
    resource_group: str
    location: str
    kind: str
    sku: str
    keys: dict[str, Key]
    created: datetime
    tags: dict[str, str] = field(default_factory=dict)
    allow_shared_key_access: bool | None = None
    public_network_access: str = "Enabled"
    default_action: str = "Allow"
    lock: str | None = None
    regenerations: int = 0

    @property
    def id(self) -> str:
        """The ARM id, as the account was created."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/{TYPE}/{self.name}"

    def is_at(self, subscription: str, resource_group: str) -> bool:
        """Tell whether it is in that resource group."""
        where = (self.subscription.lower(), self.resource_group.lower())
        return where == (subscription.lower(), resource_group.lower())

    def regenerate(self, key_name: str, clock: Clock, canary: str) -> None:
        """Replace a key; the replaced value is lost."""
        replaced = self.keys[key_name].value
        self.keys[key_name] = Key(new_key(canary), clock.now(), replaced=replaced)
        self.regenerations += 1

    def accepted(self, now: datetime, propagation: float) -> list[str]:
        """Return the keys that requests may be signed with at that moment."""
        return [key.accepted(now, propagation) for key in self.keys.values()]

    def shuts_out(self) -> bool:
        """Tell whether its network rules keep everybody out who comes from somewhere else."""
        return self.public_network_access == "Disabled" or self.default_action == "Deny"

    def shown_keys(self) -> dict[str, Any]:
        """Return what listKeys and regenerateKey answer."""
        return {
            "keys": [
                {"creationTime": key.creation_time(), "keyName": name, "value": key.value, "permissions": "FULL"}
                for name, key in self.keys.items()
            ]
        }

    def shown(self, origin: str) -> dict[str, Any]:
        """Return what GET answers; `origin` is that of the blob service."""
        created = f"{self.created:%Y-%m-%dT%H:%M:%S.%f}0Z"
        return {
            "sku": {"name": self.sku, "tier": self.sku.partition("_")[0]},
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "type": TYPE,
            "location": self.location,
            "tags": self.tags,
            "properties": {
                "keyCreationTime": {name: key.creation_time() for name, key in self.keys.items()},
                "publicNetworkAccess": self.public_network_access,
                "minimumTlsVersion": "TLS1_2",
                "allowBlobPublicAccess": False,
                "allowSharedKeyAccess": self.allow_shared_key_access,
                "networkAcls": {
                    "bypass": "AzureServices",
                    "virtualNetworkRules": [],
                    "ipRules": [],
                    "defaultAction": self.default_action,
                },
                "supportsHttpsTrafficOnly": True,
                "provisioningState": "Succeeded",
                "creationTime": created,
                "primaryEndpoints": {} if self.kind == "FileStorage" else {"blob": f"{origin}/"},
                "primaryLocation": self.location,
                "statusOfPrimary": "available",
            },
        }

    def told(self) -> dict[str, Any]:
        """Return all there is to know of it, values included."""
        return {
            "id": self.id,
            "keys": {name: {"value": k.value, "creation_time": k.creation_time()} for name, k in self.keys.items()},
            "allow_shared_key_access": self.allow_shared_key_access,
            "default_action": self.default_action,
            "public_network_access": self.public_network_access,
            "lock": self.lock,
            "tags": self.tags,
            "regenerations": self.regenerations,
        }
