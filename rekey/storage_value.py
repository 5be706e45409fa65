"""Knows in which forms a storage account's key is kept in a secret: as it is, or inside a connection string.

Source: https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string. The other parts of a
connection string are kept as they are; where anything is sent is never decided by them.
"""

import re

from rekey.errors import PermanentError
from rekey.secret_value import SecretValue

_RAW = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_KEY, _ACCOUNT = "accountkey", "accountname"
_WHAT_TO_DO = (
    "Set the secret once to one of the account's keys, or to a connection string with AccountName and AccountKey "
    "(az storage account show-connection-string), with the same tags."
)


def key_in(value: SecretValue, account: str) -> SecretValue:
    """Return the key a secret's value holds; PermanentError if there is none, or it is of another account."""
    text = value.reveal().strip()
    if _RAW.fullmatch(text):
        return SecretValue(text)
    parts = _parts(text)
    if [name for name, _ in parts].count(_KEY) != 1:
        raise PermanentError(
            "no-storage-key", "the secret's value is neither a key nor a connection string with one", _WHAT_TO_DO
        )
    if [said.lower() for name, said in parts if name == _ACCOUNT] != [account]:
        raise PermanentError(
            "other-account", f"the connection string in the secret isn't one of account {account}", _WHAT_TO_DO
        )
    return SecretValue(next(said for name, said in parts if name == _KEY) or "-")


def dressed(key: SecretValue, like: SecretValue, account: str) -> SecretValue:
    """Return the key in the form of another value of the account, of which nothing else changes."""
    key_in(like, account)
    text = like.reveal()
    if _RAW.fullmatch(text.strip()):
        return key
    return SecretValue(";".join(_replaced(part, key) for part in text.split(";")))


def _parts(text: str) -> list[tuple[str, str]]:
    """Return names in lower case and values; a value may hold further equals signs, as keys do."""
    split = (part.partition("=") for part in text.split(";"))
    return [(name.strip().lower(), said.strip()) for name, _, said in split]


def _replaced(part: str, key: SecretValue) -> str:
    name, _, _ = part.partition("=")
    return f"{name}={key.reveal()}" if name.strip().lower() == _KEY else part
