"""Decides which of a storage account's two keys a secret holds, and whether that one may be made anew at the end."""

from collections.abc import Mapping

import msgspec

from rekey.errors import PermanentError
from rekey.model import Reason, Rotation
from rekey.ports import Past
from rekey.secret_value import SecretValue
from rekey.storage_account import Key, name_of


class InUse(msgspec.Struct, frozen=True):
    """The key that a secret holds and the other one, which is made anew; `proved`: the secret's value is that key."""

    key: Key
    next: Key
    proved: bool = True
    remark: str = ""


def in_use(rotation: Rotation, keys: Mapping[str, Key], value: SecretValue) -> InUse:
    """Return which key the current version holds: by its value, else by what a tag claims, else the younger one.

    A value that is neither key works nowhere any more: what is left to get wrong is making the key anew that others
    use, which is most likely the one that was made last. PermanentError if nothing tells them apart.
    """
    first, second = _both(keys)
    for key, other in ((first, second), (second, first)):
        if key.value.same_as(value):
            return InUse(key, other)
    claimed = name_of(rotation.tagged_key_id or "")
    for key, other in ((first, second), (second, first)):
        if key.name == claimed:
            return InUse(key, other, proved=False, remark=f"{_DEAD} A tag says that it was {claimed}.")
    if first.created is None or second.created is None or first.created == second.created:
        raise PermanentError(
            "key-in-use-unknown",
            "the secret's value is neither of the account's keys, and nothing says which of them is in use",
            "Set the secret once to the key that is in use, with the same tags, or add the tag CredentialId with its "
            "name (key1 or key2).",
        )
    older, younger = sorted((first, second), key=lambda key: key.created or "")
    return InUse(younger, older, proved=False, remark=f"{_DEAD} The older key, {older.name}, is made anew.")


async def left_alone(rotation: Rotation, used: InUse, past: Past) -> str:
    """Return why the key in use will not be made anew at the end; "" if it will: Rekey made it, or is told to."""
    if not used.proved:
        return "No key is made anew at the end: the old value was already none of the account's."
    if rotation.policy.adopt or rotation.reason == Reason.LEAK or await past.recorded_key() == used.key.id:
        return ""
    return (
        f"The old key, {used.key.name}, was not made by Rekey and is left alone: it goes on working. Set the tag "
        "rekey-adopt=true to have Rekey make it anew at the end of the next rotation, once nobody else uses it."
    )


_DEAD = "The secret's value is neither of the account's keys any more: whoever reads it can't use it."


def _both(keys: Mapping[str, Key]) -> tuple[Key, Key]:
    if set(keys) != {"key1", "key2"}:
        raise PermanentError(
            "no-such-key", f"the account has the keys {', '.join(keys) or '(none)'}, not key1 and key2"
        )
    return keys["key1"], keys["key2"]
