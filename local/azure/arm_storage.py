"""Speaks for Microsoft.Storage in the simulated Azure Resource Manager: reads accounts, lists and regenerates keys.

Source: https://learn.microsoft.com/rest/api/storagerp/storage-accounts, and its error codes. Every regeneration breaks
the value there was, however often the same is asked: there is no idempotency key.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from local.azure.arm_access import Access, error
from local.azure.arm_route import AnyCase, require_version
from local.azure.arm_storage_state import KEY_NAMES, TYPE, Key, StorageAccount, new_key
from local.azure.seeds import mapping, parsed

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

VERSIONS = ("2021-09-01", "2022-09-01", "2023-01-01", "2023-04-01", "2023-05-01", "2024-01-01")
_PATH = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}/{{account}}"
_WRONG = "Values for request parameters are invalid: keyName."

type _KeyName = Literal["key1", "key2"]
type _Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]{3,24}$")]


class KeySeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key; without a value it gets a fresh one. `age_known` false: an account older than creation times."""

    value: str | None = None
    age_days: float = 100
    age_known: bool = True


class AccountSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One storage account."""

    subscription: str = "11111111-1111-1111-1111-111111111111"
    resource_group: str = "rekey-sim"
    location: str = "westeurope"
    kind: Literal["Storage", "StorageV2", "BlobStorage", "BlockBlobStorage", "FileStorage"] = "StorageV2"
    sku: str = "Standard_LRS"
    keys: dict[_KeyName, KeySeed] = {}
    tags: dict[str, str] = {}
    allow_shared_key_access: bool | None = None
    public_network_access: Literal["Enabled", "Disabled"] = "Enabled"
    default_action: Literal["Allow", "Deny"] = "Allow"
    lock: Literal["CanNotDelete", "ReadOnly"] | None = None


class StorageAccounts:
    """The storage accounts of all subscriptions, by name: no two anywhere are called alike."""

    namespace = "Microsoft.Storage"

    def __init__(self, cloud: "Cloud", access: Access) -> None:
        self._cloud = cloud
        self._access = access
        self.accounts: dict[str, StorageAccount] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations on one account."""
        return [
            AnyCase(_PATH, self._read, methods=["GET"]),
            AnyCase(f"{_PATH}/listKeys", self._list_keys, methods=["POST"]),
            AnyCase(f"{_PATH}/regenerateKey", self._regenerate, methods=["POST"]),
        ]

    def seed(self, document: dict[str, Any]) -> None:
        """Take the part `storage_accounts`: accounts by name; one that is there already stays as it is."""
        for name, part in mapping(document.get("storage_accounts"), "storage_accounts").items():
            where = f"storage_accounts.{name}"
            parsed(name, _Name.__value__, where)
            self.accounts.setdefault(name, self._account(name, parsed(part, AccountSeed, where)))

    def state(self) -> dict[str, Any]:
        """Return the accounts by name, keys included."""
        return {name: account.told() for name, account in self.accounts.items()}

    def _account(self, name: str, seed: AccountSeed) -> StorageAccount:
        fields = {f: getattr(seed, f) for f in AccountSeed.__struct_fields__ if f != "keys"}
        keys: dict[str, Key] = {key: self._key(seed.keys.get(key, KeySeed())) for key in KEY_NAMES}
        return StorageAccount(name=name, keys=keys, created=min(key.created for key in keys.values()), **fields)

    def _key(self, seed: KeySeed) -> Key:
        created = self._cloud.clock.now() - timedelta(days=seed.age_days)
        return Key(seed.value or new_key(self._cloud.canary), created, seed.age_known)

    async def _read(self, request: Request) -> Response:
        account = self._found(request, "read")
        return JSONResponse(account.shown(self._cloud.url(f"{account.name}.blob.storage")))

    async def _list_keys(self, request: Request) -> Response:
        account = self._found(request, "listKeys/action")
        _require_unlocked(account)
        return JSONResponse(account.shown_keys())

    async def _regenerate(self, request: Request) -> Response:
        account = self._found(request, "regenerateKey/action")
        _require_unlocked(account)
        account.regenerate(_key_name(await request.body()), self._cloud.clock, self._cloud.canary)
        return JSONResponse(account.shown_keys())

    def _found(self, request: Request, operation: str) -> StorageAccount:
        """Return the account a path names, to a caller who may do that with it: rights are looked at first."""
        at = request.path_params
        scope = _PATH.format(**at)
        self._access.require(request, f"{TYPE}/{operation}", scope)
        require_version(request, TYPE.partition("/")[2], VERSIONS)
        account = self.accounts.get(at["account"].lower())
        if account is None or not account.is_at(at["subscription"], at["group"]):
            raise error(
                404,
                "ResourceNotFound",
                f"The Resource '{TYPE}/{at['account']}' under resource group '{at['group']}' was not found. For more "
                "details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return account


def _require_unlocked(account: StorageAccount) -> None:
    """Listing keys is a POST, so that even that counts as writing."""
    if account.lock == "ReadOnly":
        raise error(
            409,
            "ScopeLocked",
            f"The scope '{account.id}' cannot perform write operation because following scope(s) are locked: "
            f"'{account.id}'. Please remove the lock and try again.",
        )


def _key_name(body: bytes) -> str:
    try:
        name = msgspec.json.decode(body)["keyName"]
    except (msgspec.DecodeError, KeyError, TypeError):
        raise error(400, "InvalidRequestContent", "The request content was invalid: keyName is required.") from None
    if name in {"kerb1", "kerb2"}:
        raise error(400, "KerberosKeysNotSupported", "Kerberos keys are not simulated.")
    if name not in KEY_NAMES:
        raise error(400, "StorageAccountKeyNameNotValid", _WRONG)
    return str(name)
