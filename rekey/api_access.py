"""Where the operator API is and what opens it: an address that a key may be sent to, and the key."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from rekey.errors import SettingError
from rekey.secret_value import SecretValue
from rekey.setting_values import given

ADDRESS, KEY = "REKEY_API", "REKEY_API_KEY"
EXPECTED = "https://<host>, or http://127.0.0.1:<port> on this machine; no key and no path in it"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The API's origin, without a slash at its end; `key` opens its functions, None: there is none."""

    origin: str
    key: SecretValue | None = None

    @property
    def is_here(self) -> bool:
        """Tell whether it is on this machine."""
        return _loopback(urlsplit(self.origin).hostname or "")


def access(environ: Mapping[str, str], address: str = "") -> Access:
    """Return what `environ` says, `address` instead of its address if given; SettingError."""
    text, name = given(environ, KEY), "--api" if address else ADDRESS
    return Access(origin=_origin(name, address or given(environ, ADDRESS)), key=key(KEY, text) if text else None)


def key(name: str, text: str) -> SecretValue:
    """Return a key that can be sent in a header; SettingError without its text."""
    if not text or not (text.isascii() and text.isprintable()) or " " in text:
        raise SettingError(name, f"({len(text)} characters, not shown)", "a function key: letters, digits and signs")
    return SecretValue(text)


def _origin(name: str, address: str) -> str:
    """Return the origin; an address that holds more than one isn't shown, for people paste keys with it."""
    try:
        parts = urlsplit(address)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise SettingError(name, f"({len(address)} characters, not shown)", EXPECTED) from None
    if parts.query or parts.fragment or "@" in address:
        raise SettingError(name, f"({len(address)} characters, not shown)", EXPECTED)
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))
    if not (encrypted and host and address.isascii() and address.isprintable() and parts.path in {"", "/", "/api"}):
        raise SettingError(name, address, EXPECTED)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
