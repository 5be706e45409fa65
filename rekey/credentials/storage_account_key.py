"""Rotates the keys of a storage account in turn: the one that isn't in use is made anew, proved by a signed call.

Source: https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage. A key's id is its name and when it
was made: a key is only made anew while it is still the one that was looked at, and a lost answer is looked for.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from rekey.clients import Clients
from rekey.errors import NotYetError, PermanentError, ScopeError
from rekey.key_sharing import require_alone
from rekey.keys_in_turn import KeysInTurn
from rekey.model import Facts, Rotation
from rekey.ports import NewCredential, Past, Permission, Turn
from rekey.resource_manager import granting, right
from rekey.secret_value import SecretValue
from rekey.settings import Settings
from rekey.storage_account import (
    ACTIONS,
    KEY_OPERATOR,
    READER,
    Account,
    Key,
    StorageAccount,
    account_id,
    current,
    name_of,
    same,
)
from rekey.storage_in_use import in_use, left_alone
from rekey.storage_signing import signs
from rekey.storage_value import dressed, key_in
from rekey.vault import Vault

SETTLED = timedelta(seconds=120)
"""After that, a request to regenerate has been done or never will be: SEND_WITHIN, our own timeouts, and the minute
that Azure Resource Manager gives a provider to answer."""

APART = 5.0
"""Seconds between the two lists that have to agree: one may come from a replica that lags."""

REMEMBERED = 3600.0
"""Seconds an account is believed to let keys in or not: a refusal is understood in any case."""


class StorageAccountKey(KeysInTurn):
    """A key of the storage account with that ARM id."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        right(KEY_OPERATOR, "listing the account's keys and making one anew"),
        right(READER, "reading the account: whether it lets keys in at all"),
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_target(target: str, vault: str, settings: Settings) -> str:
        """Return the account's ARM id in one spelling; InputError if it is none, ScopeError if it isn't the vault's."""
        found = str(account_id(target))
        if not settings.allows_resource(vault, found):
            raise ScopeError("storage account", target, f"a resource that REKEY_SCOPES binds to vault {vault}")
        return found

    async def inspect(self, rotation: Rotation, past: Past) -> Facts:
        """Check the rights; find out which key the current version holds, and whether it may be made anew."""
        target = rotation.policy.credential.target
        await self._require_rights(target)
        await require_alone(self._clients, rotation)
        account, keys = await self._read(target, anew=True), await self._account(rotation).keys()
        used = in_use(rotation, keys, key_in(await past.value(), _name(target)))
        kept = await left_alone(rotation, used, past)
        return Facts(
            object_id=target,
            display_name=_name(target),
            old_key_id=None if kept else used.key.id,
            next_key_id=used.next.id,
            left_alone=kept,
            remarks=tuple(remark for remark in (used.remark, self._remark(account, target), kept) if remark),
        )

    async def generate(
        self,
        rotation: Rotation,
        label: str,  # noqa: ARG002 - keys carry none
        expires: datetime,
        turn: Turn,
    ) -> NewCredential:
        """Make the key anew that isn't in use, or take what an earlier attempt made; UnclearError if it may be made."""
        seen = await self._seen(rotation, turn)
        if seen.id != rotation.next_key_id:
            return _made(seen, expires)
        await self._require_current(rotation)
        asked = time.time()
        await turn.ask()
        made = await self._account(rotation).regenerate(seen.name, asked)
        return _made(made, expires)

    async def reveal(self, rotation: Rotation, key_id: str) -> SecretValue:
        """List the keys and return the value of that generation; PermanentError `key-changed` if there is another."""
        return same(await self._account(rotation).keys(), key_id).value

    def published(self, rotation: Rotation, value: SecretValue, current: SecretValue) -> SecretValue:
        """Return the key, or the current connection string with it."""
        return dressed(value, current, _name(rotation.policy.credential.target))

    async def retire(self, rotation: Rotation, key_id: str, kept: str) -> None:
        """Make the old key anew, so that nobody has it, as long as the published one is the account's."""
        account = self._account(rotation)
        keys = await account.keys()
        if current(keys, name_of(kept)).id != kept:
            raise PermanentError(
                "published-key-gone",
                f"the account no longer has the key that was published, {kept}: somebody made it anew",
                "The old key was left alone. Find out who else regenerates keys there, then start a rotation by hand.",
            )
        old = current(keys, name_of(key_id))
        if old.id == key_id:
            await self._require_unused(rotation, old)
            # Asked twice because an answer was lost, it breaks nothing: nobody is to have this key.
            await account.regenerate(old.name, time.time())

    async def verify(self, rotation: Rotation, value: SecretValue) -> None:
        """Use the key once; where keys aren't let in, see that it is the account's. NotYetError while it spreads."""
        target = rotation.policy.credential.target
        if self._lets_try(await self._read(target), target) and await signs(self._clients, _name(target), value):
            return
        keys = await self._account(rotation).keys()
        if not any(key.value.same_as(value) for key in keys.values()):
            raise PermanentError("not-a-key", f"the value is none of the keys of {target}")

    def _account(self, rotation: Rotation) -> StorageAccount:
        return StorageAccount(self._clients, rotation.policy.credential.target)

    async def _read(self, target: str, *, anew: bool = False) -> Account:
        read = StorageAccount(self._clients, target).read
        return await self._clients.remember(f"storage account {target}", REMEMBERED, read, anew=anew)

    def _lets_try(self, account: Account, target: str) -> bool:
        """A key is only ever tried at the account's address in this cloud, which not every account has."""
        return account.shared_keys and account.blob.lower() == self._clients.settings.cloud.blob_url(_name(target))

    def _remark(self, account: Account, target: str) -> str:
        if not account.shared_keys:
            return _KEYS_OFF
        return "" if self._lets_try(account, target) else _NOT_TRIED

    async def _require_rights(self, target: str) -> None:
        missing = await StorageAccount(self._clients, target).missing()
        if missing:
            roles = dict.fromkeys(ACTIONS[action] for action in missing)
            raise PermanentError(
                "forbidden",
                f"the app's identity may not {', '.join(missing)} on {target}",
                "; ".join(granting(role, target) for role in roles),
            )

    async def _require_current(self, rotation: Rotation) -> None:
        """Whoever set another version meanwhile may have chosen the very key that is to be made anew."""
        newest, _ = await self._vault(rotation).current(rotation.secret)
        if newest.id != rotation.old_version:
            raise PermanentError(
                "superseded",
                f"secret {rotation.secret} got version {newest.id} from somebody else during the rotation",
                "Nothing was changed. Nothing to do if that was on purpose.",
            )

    async def _require_unused(self, rotation: Rotation, old: Key) -> None:
        """Whoever set the old value again, as one rolls back by hand, still needs the old key."""
        try:
            newest, value = await self._vault(rotation).current(rotation.secret)
        except PermanentError as error:
            if error.code in {"not-found", "secret-disabled"}:
                return  # nobody reads any key there
            raise
        if old.value.reveal() in value.reveal():
            raise PermanentError(
                "old-key-in-use",
                f"version {newest.id} of secret {rotation.secret} holds the old key again: somebody set it back",
                "The old key was left alone. Once its readers are well, start a rotation by hand.",
            )

    def _vault(self, rotation: Rotation) -> Vault:
        return Vault(self._clients.vault(rotation.vault), rotation.vault)

    async def _seen(self, rotation: Rotation, turn: Turn) -> Key:
        """Return the key to be made anew as it is now; after an earlier attempt, another generation is its own."""
        account, name = self._account(rotation), name_of(rotation.next_key_id)
        if turn.before is None:
            return same(await account.keys(), rotation.next_key_id)
        _require_settled(turn.before)
        first = current(await account.keys(), name)
        await asyncio.sleep(APART)
        second = current(await account.keys(), name)
        if first.id != second.id:
            raise NotYetError("lists-disagree", f"two lists of the keys of {rotation.object_id} don't agree yet")
        return second


_KEYS_OFF = (
    "The account lets no shared keys in (allowSharedKeyAccess is false): nobody can use this secret. Retire it: have "
    "its readers sign in with Entra ID, then remove the secret and its tags."
)
_NOT_TRIED = (
    "The account has no blob service at its usual address, so that the new key can't be tried by a signed call: Rekey "
    "only sees that it is the account's."
)


def _name(target: str) -> str:
    return target.rpartition("/")[2]


def _require_settled(asked: datetime) -> None:
    left = (asked + SETTLED - datetime.now(UTC)).total_seconds()
    if left > 0:
        raise NotYetError("unclear-before", "an earlier attempt to regenerate the key may still be under way", left)


def _made(key: Key, expires: datetime) -> NewCredential:
    """Return the new credential; without a creation time nobody could tell it from the next."""
    if key.created is None:
        raise PermanentError(
            "no-creation-time",
            f"the service doesn't say when {key.name} was made anew, so that Rekey can't know it again",
            "The key in use was left alone. Rotate this account's keys by hand, and remove the secret's tags.",
        )
    return NewCredential(key_id=key.id, expires=expires, value=key.value)
