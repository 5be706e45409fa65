"""Reads one setting at a time out of a mapping: given, required, matching a pattern, a list, JSON, an origin.

Whatever can't be used is a SettingError that names the setting, its value and what was expected.
"""

import re
from collections.abc import Mapping

import msgspec

from rekey.errors import SettingError

MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?P<domain>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")


def given(environ: Mapping[str, str], name: str) -> str:
    """Return the setting without surrounding space, "" if it is missing."""
    return environ.get(name, "").strip()


def required(environ: Mapping[str, str], name: str, expected: str) -> str:
    """Return a setting that must not be empty."""
    value = given(environ, name)
    if not value:
        raise SettingError(name, value, expected)
    return value


def matching(environ: Mapping[str, str], name: str, pattern: re.Pattern[str], expected: str) -> str:
    """Return a required setting that matches all of `pattern`."""
    value = required(environ, name, expected)
    if not pattern.fullmatch(value):
        raise SettingError(name, value, expected)
    return value


def words(environ: Mapping[str, str], name: str, expected: str) -> tuple[str, ...]:
    """Return the parts of a required list separated by commas, at least one."""
    found = tuple(w.strip() for w in required(environ, name, expected).split(",") if w.strip())
    if not found:
        raise SettingError(name, environ[name], expected)
    return found


def addresses(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the mail addresses of a required list separated by commas."""
    expected = "mail addresses separated by commas"
    found = words(environ, name, expected)
    for address in found:
        if not MAIL.fullmatch(address):
            raise SettingError(name, address, expected)
    return found


def json_of[T](name: str, text: str, kind: type[T], expected: str) -> T:
    """Return JSON as `kind`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise SettingError(name, text, f"{expected} ({error})") from None


def https_origin(environ: Mapping[str, str], name: str, pattern: str, expected: str) -> str:
    """Return an origin; a value that is none isn't shown, for people paste connection strings and SAS URLs here."""
    value = required(environ, name, expected).removesuffix("/")
    if not re.fullmatch(pattern, value, re.IGNORECASE | re.ASCII):
        raise SettingError(name, f"({len(value)} characters, not shown)", expected)
    return value.lower()


def choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return one of `choices`, the first if nothing is set."""
    value = given(environ, name) or choices[0]
    if value not in choices:
        raise SettingError(name, value, f"one of {', '.join(choices)}")
    return value
