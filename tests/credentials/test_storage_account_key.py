"""Keys of a storage account, made anew in turn."""

import msgspec
import pytest

from local.azure.arm import ResourceManager
from local.azure.arm_access import Access
from local.azure.arm_storage_state import StorageAccount
from local.storage_scenario import StorageScenario
from rekey import storage_account
from rekey.credentials import storage_account_key
from rekey.credentials.storage_account_key import StorageAccountKey
from rekey.secret_value import SecretValue
from rekey.storage_value import key_in
from tests.core.binding import Corpus
from tests.core.company import Company
from tests.credentials.any_kind import Forgotten
from tests.credentials.regenerated import RegeneratedContract

SUBSCRIPTION = "aaaaaaaa-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
SHOP = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/shopdata"
THEIRS = SHOP.replace("resourceGroups/shop", "resourceGroups/bank")


def account_of(company: Company) -> StorageAccount:
    """Return the account as the simulation knows it."""
    assert isinstance(company.scenario, StorageScenario)
    return company.azure.cloud.storage_accounts.accounts[company.scenario.account]


def key_id(company: Company, name: str) -> str:
    """Return the id of a key as it is now."""
    return f"{name}@{account_of(company).keys[name].creation_time() or 'unknown'}"


def _access(company: Company) -> Access:
    service = company.azure.cloud.services["arm"]
    assert isinstance(service, ResourceManager)
    return service.access


def _revoke(role: str) -> Forgotten:
    return Forgotten(lambda c: _access(c).revoke(role), "forbidden", f"--role '{role}' --scope {{target}}")


class TestStorageAccountKey(RegeneratedContract):
    """The kind keeps the contract."""

    kind = StorageAccountKey
    service = "arm"
    path = "/regenerateKey"
    corpus = Corpus(
        scope={"resources": [GROUP, f"{SHOP[:-8]}other"]},
        foreign_scope={"resources": [THEIRS]},
        good={
            SHOP: SHOP,
            SHOP.replace("resourceGroups/shop", "RESOURCEGROUPS/Shop").replace("Microsoft.S", "microsoft.s"): SHOP,
            SHOP.replace("shopdata", "ShopData").replace(SUBSCRIPTION, SUBSCRIPTION.upper()): SHOP,
        },
        malformed=(
            "shopdata",
            f"{SHOP}/",
            f"{SHOP}/blobServices/default",
            f"{SHOP}/../../../../../resourceGroups/bank",
            SHOP.replace("shopdata", ".."),
            SHOP.replace("shopdata", "shop-data"),
            SHOP.replace("shopdata", "s" * 25),
            SHOP.replace("shopdata", "sh"),
            SHOP.replace("shopdata", "shop%2fdata"),
            SHOP.replace("shopdata", "shopdata@evil.example"),
            SHOP.replace("shopdata", "shopdat\uff41"),
            SHOP.replace(SUBSCRIPTION, "not-a-guid"),
            SHOP.replace("Microsoft.Storage", "Microsoft.ClassicStorage"),
            f"https://management.azure.com{SHOP}",
            f"//{SHOP}",
            "https://shopdata.blob.core.windows.net",
        ),
        foreign=THEIRS,
    )
    forgotten = (
        _revoke("Storage Account Key Operator Service Role"),
        _revoke("Reader"),
        Forgotten(lambda c: setattr(account_of(c), "lock", "ReadOnly"), "locked", "az lock"),
    )

    def scenario(self) -> StorageScenario:
        """Return a company whose secret holds a connection string."""
        return StorageScenario()

    def mark(self, company: Company) -> str:
        """Return the letters and digits of the canary."""
        return company.scenario.canary.replace("~", "").replace("-", "")

    def usable(self, company: Company, value: SecretValue) -> SecretValue:
        """Return the key in a connection string."""
        return key_in(value, account_of(company).name)

    def live(self, company: Company) -> dict[str, str]:
        """Return both keys."""
        return {key_id(company, name): key.value for name, key in account_of(company).keys.items()}

    def ruin(self, company: Company) -> None:
        """Keep Rekey's network out."""
        account_of(company).default_action = "Deny"

    def regenerations(self, company: Company) -> int:
        """Return what the account counts."""
        return account_of(company).regenerations

    def meddle(self, company: Company, key_id: str) -> None:
        """Make that key anew by hand."""
        cloud = company.azure.cloud
        account_of(company).regenerate(key_id.partition("@")[0], cloud.clock, cloud.canary)

    def without_target(self, company: Company) -> bytes:
        """Return the whole state but the account and the managed secret."""
        state = msgspec.json.decode(company.state())
        assert isinstance(company.scenario, StorageScenario)
        del state["arm"]["Microsoft.Storage"][company.scenario.account]
        del state["keyvault"]["vaults"][company.scenario.vault]["secrets"][company.scenario.secret]
        return msgspec.json.encode(state)

    def settle_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let nothing be under way, and lists never lag."""
        monkeypatch.setattr(storage_account_key, "SETTLED", -storage_account_key.SETTLED)
        monkeypatch.setattr(storage_account_key, "APART", 0.0)

    def wait_for_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Undo what lets nothing be under way."""
        monkeypatch.setattr(storage_account_key, "SETTLED", abs(storage_account_key.SETTLED))

    def time_passes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let a moment be too long."""
        monkeypatch.setattr(storage_account, "SEND_WITHIN", -1.0)
