"""The same small company, with another managed secret: a key of a storage account, alone or in a connection string."""

import functools
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal, override

from local.azure.arm_storage_state import new_key
from local.kinds import arm
from local.kinds.ports import Consumer, Credential
from local.kinds.storage_account_key import LIFETIME, StorageAccountKey
from local.scenario import Scenario
from local.seed_document import merged


@dataclass(frozen=True)
class StorageScenario(Scenario):
    """What is seeded: an account whose key1 is in use. `form` is how the secret holds it.

    `sample_tags`: the tags of Microsoft's own rotation samples, in place of Rekey's.
    """

    form: Literal["key", "connection-string"] = "connection-string"
    sample_tags: bool = False
    account: str = field(default_factory=lambda: f"shop{secrets.token_hex(3)}")
    roles: tuple[str, ...] = ("Reader", "Storage Account Key Operator Service Role")

    @functools.cached_property
    def key(self) -> str:
        """The key that is in use before the rotation."""
        return new_key(self.canary)

    @property
    def account_id(self) -> str:
        """The account's ARM id."""
        return arm.arm_id("Microsoft.Storage/storageAccounts", self.account)

    def dressed(self, key: str) -> str:
        """Return what the secret holds while that key is the one in use."""
        if self.form == "key":
            return key
        start = f"DefaultEndpointsProtocol=https;AccountName={self.account}"
        return f"{start};AccountKey={key};EndpointSuffix=core.windows.net"

    @property
    @override
    def credential(self) -> Credential:
        """The account's keys."""
        return StorageAccountKey(self.account, self.account_id, self.vault, self.secret, self.value)

    @property
    @override
    def consumers(self) -> tuple[Consumer, ...]:
        """The company's service connection has nothing to do with keys."""
        return self.others

    @property
    @override
    def value(self) -> str:
        """What the secret holds before the rotation."""
        return self.dressed(self.key)

    @override
    def people_and_machines(self) -> dict[str, Any]:
        """Return the seed document of everything but the secret."""
        account = {
            "resource_group": arm.GROUP,
            "keys": {"key1": {"value": self.key, "age_days": 160}, "key2": {"age_days": 340}},
        }
        roles = [{"identity": "rekey", "role": role, "scope": self.account_id} for role in self.roles]
        own = {"storage_accounts": {self.account: account}, "role_assignments": roles}
        return merged(super().people_and_machines(), own)

    @override
    def version(self, client_id: str, azure_devops: str) -> dict[str, Any]:
        """Return the secret's version as a seed has it, with the tags that are its credential's."""
        tags = self._sample_tags() if self.sample_tags else self._tags()
        return {"value": self.value, "expires_in_days": self.expires_in_days, "tags": tags}

    @override
    def scope(self, client_id: str) -> dict[str, Any]:
        """Return what the vault's secrets may name."""
        return merged(super().scope(client_id), {"resources": [self.account_id]})

    def _tags(self) -> dict[str, str]:
        return {"rekey-credential": f"storage-account-key:{self.account_id}", "rekey-lifetime": f"P{LIFETIME.days}D"}

    def _sample_tags(self) -> dict[str, str]:
        return {"CredentialId": "key1", "ProviderAddress": self.account_id, "ValidityPeriodDays": str(LIFETIME.days)}
