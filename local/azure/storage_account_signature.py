"""Knows which signature a request to the blob service carries when it is signed with an account's key.

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, versions from 2015-02-21.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def signature(text: str, key: str) -> str:
    """Return what a key makes of a string to sign."""
    mac = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def signed_by(given: str, text: str, keys: Iterable[str]) -> bool:
    """Tell whether one of the keys makes that signature."""
    return any(hmac.compare_digest(given.encode(), signature(text, key).encode()) for key in keys)


def string_to_sign(method: str, account: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    """Return what is signed; `path` and `query` as they were sent, header names in lower case."""
    said = dict(headers)
    if said.get("content-length") == "0":
        said["content-length"] = ""
    if "x-ms-date" in said:
        said["date"] = ""
    plain = [said.get(name, "") for name in _SIGNED_HEADERS]
    extra = sorted((name, value) for name, value in said.items() if name.startswith("x-ms-"))
    return "\n".join([method, *plain, *(f"{name}:{value.strip()}" for name, value in extra), ""]) + _resource(
        account, path, query
    )


def _resource(account: str, path: str, query: str) -> str:
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name.lower(), []).append(value)
    lines = [f"{name}:{','.join(sorted(values))}" for name, values in sorted(parameters.items())]
    return "\n".join([f"/{account}{path}", *lines])
