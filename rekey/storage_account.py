"""Speaks Microsoft.Storage's part of Azure Resource Manager: reads an account, lists its keys, makes one of them anew.

Source: https://learn.microsoft.com/rest/api/storagerp/storage-accounts. A regeneration answers at once with both keys,
breaks the value there was, and does so again each time it is asked: it is never repeated blindly.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from rekey.arm_id import ArmId
from rekey.errors import NotYetError, PermanentError, UnclearError
from rekey.resource_manager import ResourceManager
from rekey.secret_value import SecretValue

if TYPE_CHECKING:
    from rekey.clients import Clients

TYPE = "Microsoft.Storage/storageAccounts"
VERSION = "2023-05-01"
READER = "Reader"
KEY_OPERATOR = "Storage Account Key Operator Service Role"
ACTIONS: Mapping[str, str] = {
    f"{TYPE}/read": READER,
    f"{TYPE}/listKeys/action": KEY_OPERATOR,
    f"{TYPE}/regenerateKey/action": KEY_OPERATOR,
}
"""What a rotation needs, by the smallest role that has it: the key operator's doesn't let read the account."""

UNKNOWN = "unknown"
"""In the id of a key of which the service doesn't say when it was made: it is as old as the account."""

_NAME = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE)
_KEY_NAMES = frozenset({"key1", "key2"})
SEND_WITHIN = 15.0
"""Seconds: a request to regenerate that could not be sent by then is not sent any more."""


class Key(msgspec.Struct, frozen=True):
    """One of an account's two keys; `created` is as the service writes it, None on accounts older than that."""

    name: str
    created: str | None
    value: SecretValue

    @property
    def id(self) -> str:
        """The id of this generation of the key."""
        return f"{self.name}@{self.created or UNKNOWN}"


class Account(msgspec.Struct, frozen=True):
    """A storage account; `blob` is the origin of its blob service, "" if it has none."""

    shared_keys: bool
    blob: str


def name_of(key_id: str) -> str:
    """Return the key's name in its id, or in what older tags call it."""
    return key_id.partition("@")[0]


def account_id(text: str) -> ArmId:
    """Return the ARM id of a storage account in one spelling; InputError for anything else."""
    found = ArmId.of(text, TYPE, _NAME)
    return ArmId(found.subscription, found.group.lower(), TYPE, found.name.lower())


class StorageAccount:
    """One account, by an ARM id that settings allow."""

    def __init__(self, clients: "Clients", target: str) -> None:
        self._target = target
        self._manager = ResourceManager(clients)

    async def missing(self) -> list[str]:
        """Return the actions that the app's identity is not allowed there."""
        return await self._manager.may(self._target, list(ACTIONS), role=READER)

    async def read(self) -> Account:
        """Return the account; PermanentError if it isn't there, or may not be read."""
        body = (await self._manager.get(self._target, VERSION, role=READER)).body
        try:
            said = body["properties"]
            endpoints = said.get("primaryEndpoints") or {}
            return Account(said.get("allowSharedKeyAccess") is not False, (endpoints.get("blob") or "").rstrip("/"))
        except (TypeError, KeyError, AttributeError):
            raise NotYetError("malformed-answer", f"{self._target}: the answer can't be read") from None

    async def keys(self) -> dict[str, Key]:
        """Return both keys by name, as they are now."""
        answer = await self._manager.write("POST", f"{self._target}/listKeys", VERSION, role=KEY_OPERATOR)
        found = _parsed(answer.body)
        if found is None:
            raise NotYetError("malformed-answer", f"{self._target}: the keys can't be read")
        return found

    async def regenerate(self, name: str, asked: float) -> Key:
        """Make a key anew and return it; UnclearError if that may have happened.

        `asked`: since when (Unix time) others count on the request being on its way. Sent too late, it could break the
        key that they have made by then: then it is a NotYetError, and nothing was sent.
        """
        answer = await self._manager.ask_once(
            f"{self._target}/regenerateKey",
            VERSION,
            {"keyName": name},
            role=KEY_OPERATOR,
            send_until=asked + SEND_WITHIN,
        )
        found = (_parsed(answer.body) or {}).get(name)
        if found is None:
            raise UnclearError("malformed-answer", f"{self._target}: the regenerated key can't be read")
        return found


def current(keys: Mapping[str, Key], name: str) -> Key:
    """Return the key of that name as it is now."""
    if name not in keys:
        raise PermanentError("no-such-key", f"the account has no key {name!r}, only {', '.join(keys)}")
    return keys[name]


def same(keys: Mapping[str, Key], key_id: str) -> Key:
    """Return the key of that id; PermanentError if it was made anew since."""
    found = current(keys, name_of(key_id))
    if found.id != key_id:
        raise PermanentError(
            "key-changed",
            f"{found.name} was made anew by somebody else: it was {key_id}, now it is {found.id}",
            "Rekey changed nothing. Find out who else regenerates this account's keys, then start again.",
        )
    return found


def _parsed(body: Any) -> dict[str, Key] | None:
    try:
        made = [Key(one["keyName"], one.get("creationTime"), SecretValue(one["value"])) for one in body["keys"]]
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    return {key.name: key for key in made if key.name in _KEY_NAMES}
