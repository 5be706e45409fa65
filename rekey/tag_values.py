"""Says what one policy tag's value may look like, whatever else the secret's tags say.

Each function returns the value's normal form or raises an InputError whose `expected` is the sentence people read.
"""

import re
from datetime import timedelta

from rekey import spans
from rekey.errors import InputError, ScopeError
from rekey.model import Span
from rekey.setting_values import MAIL
from rekey.settings import GUID, Settings

WHOLE = "value"
"""The field of an error that is about all of a tag's value rather than a part of it."""

MOST_ADDRESSES = 20
LONGEST = Span(months=24)
"""Entra's portal offers two years at most; nothing that is rotated should live longer."""

_WINDOW = re.compile(r"(?P<day>Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9]) (?P<span>\S+)")
_URI = re.compile(r"(?P<kind>[a-z][a-z0-9-]*):(?://[A-Za-z0-9._~:/?@!$&()*+,;=%'-]+|[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+)")
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}")


def choice(text: str, only: str) -> bool:
    """Return True for the only value the tag may have."""
    if text != only:
        raise InputError(WHOLE, text, f"'{only}', or no such tag")
    return True


def whole_number(text: str, most: int, unit: str) -> int:
    """Return a number from 1 to `most`, written in ASCII digits without sign or leading zero."""
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text) or int(text) > most:
        raise InputError(WHOLE, text, f"a whole number of {unit} from 1 to {most}")
    return int(text)


def span(text: str, least: timedelta, expected: str) -> Span:
    """Return a duration of at least `least` and at most 24 months."""
    try:
        found = spans.parse(text)
    except InputError:
        raise InputError(WHOLE, text, expected) from None
    if not least <= spans.length(found) <= spans.length(LONGEST):
        raise InputError(WHOLE, text, expected)
    return found


def lifetime(text: str) -> Span:
    """Return how long a new credential is valid: an hour to 24 months."""
    return span(text, timedelta(hours=1), "an ISO 8601 duration from PT1H to P24M, such as P180D or P6M")


def lead(text: str) -> Span:
    """Return how long before its expiry a version is rotated."""
    return span(text, timedelta(seconds=1), "an ISO 8601 duration above zero, up to P24M, such as P30D")


def grace(text: str) -> Span:
    """Return how long old and new are both valid; PT0S is none."""
    return span(text, timedelta(), "an ISO 8601 duration from PT0S to the lifetime, such as P7D")


def window(text: str) -> str:
    """Return the weekly window, UTC: day, time and duration as people write them."""
    expected = "day, time (UTC) and duration up to P1D, such as 'Sat 02:00 PT4H'"
    found = _WINDOW.fullmatch(text)
    if not found:
        raise InputError(WHOLE, text, expected)
    open_for = span(found["span"], timedelta(seconds=1), expected)
    if open_for.months or open_for.seconds > 86400:
        raise InputError(WHOLE, text, expected)
    return f"{found['day']} {found['time']} {spans.render(open_for)}"


def guids(text: str) -> tuple[str, ...]:
    """Return ids in lower case, without repeats."""
    found = _items(text)
    if not found or not all(GUID.fullmatch(item) for item in found):
        raise InputError(WHOLE, text, "application (client) ids, GUIDs separated by commas")
    return tuple(dict.fromkeys(item.lower() for item in found))


def addresses(text: str, settings: Settings) -> tuple[str, ...]:
    """Return the mail addresses, without repeats; one that settings don't allow is a ScopeError."""
    found = {item.lower(): item for item in _items(text)}
    if not 0 < len(found) <= MOST_ADDRESSES or not all(MAIL.fullmatch(item) for item in found):
        raise InputError(WHOLE, text, f"1 to {MOST_ADDRESSES} mail addresses separated by commas")
    refused = [item for item in found.values() if not settings.allows_address(item)]
    if refused:
        domains = ", ".join(settings.mail_domains)
        raise ScopeError(WHOLE, text, f"addresses in REKEY_MAIL_DOMAINS ({domains}), unlike {', '.join(refused)}")
    return tuple(found.values())


def uri_kind(text: str) -> str:
    """Return the consumer kind that a well-formed URI names: of a place, or of a person by mail address."""
    found = _URI.fullmatch(text)
    if not found:
        expected = "a URI, <consumer kind>://... with everything unusual percent-encoded, or manual:<mail address>"
        raise InputError(WHOLE, text, expected)
    return found["kind"]


def credential(text: str) -> tuple[str, str]:
    """Return the kind's name and its target of `<kind>:<target>`."""
    kind, colon, target = text.partition(":")
    if not colon or not kind or not target:
        raise InputError(WHOLE, text, "<credential kind>:<target>, such as entra-app-password:<client id>")
    return kind, target


def key_id(text: str) -> str:
    """Return the name an issuer gave a key."""
    if not _KEY_ID.fullmatch(text):
        raise InputError(WHOLE, text, "the current key's name or id, such as key1")
    return text


def _items(text: str) -> list[str]:
    return [item for item in (part.strip(" ") for part in text.split(",")) if item]
