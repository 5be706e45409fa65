"""What Event Grid puts into the queue about a vault, in every form it is known to take.

Two envelopes (Event Grid's own and CloudEvents 1.0), one event or an array, plain text or base64:
https://learn.microsoft.com/azure/event-grid/event-schema-key-vault. The samples there have names and versions with
stray spaces and dates as text, the Swagger has numbers, real events have nulls: all of it is read.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"
EXPIRED = "Microsoft.KeyVault.SecretExpired"
ENDING = {name.lower(): name for name in (NEAR_EXPIRY, EXPIRED)}

LARGEST = 64 * 1024
"""Bytes a message of a storage queue can have."""
SHOWN = 100
LAST_SECOND = 253402300799
"""The year 9999 ends."""

BOM = b"\xef\xbb\xbf"
ENVELOPE = ("id", "eventType", "type", "specversion", "data")
DATA = ("VaultName", "ObjectType", "ObjectName", "Version", "EXP")
ID = re.compile(r"[ -~]{1,256}")
TYPE = re.compile(r"[A-Za-z0-9._-]{1,128}")
VAULT = re.compile(r"[a-z][a-z0-9-]{1,22}[a-z0-9]")
SECRET = re.compile(r"[a-z0-9-]{1,127}")
VERSION = re.compile(r"[a-z0-9]{0,64}")
OBJECT_TYPE = re.compile(r"[a-z]{1,32}")
SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event: vault, secret, version and object type in lower case; a hint, for anybody who may write can forge it.

    Of an event that isn't about a secret's end the fields of `data` may be empty: it needn't have them.
    """

    id: str
    type: str
    vault: str
    secret: str
    version: str
    object_type: str
    expires: datetime | None

    @property
    def hints_at_end(self) -> bool:
        """Tell whether a secret's version ends soon, or has ended."""
        return self.type in ENDING.values() and self.object_type == "secret"


class GarbageEventError(ValueError):
    """The message, or one of its events, can't be read; `readable` is what could be.

    One line that names field and expectation and quotes at most 100 characters, with no control character among them.
    """

    def __init__(self, message: str, readable: tuple[Event, ...] = ()) -> None:
        super().__init__(message)
        self.readable = readable


def parse(body: bytes | str) -> tuple[Event, ...]:
    """Return the events of one queue message, at least one, in their order; GarbageEventError if any can't be read."""
    try:
        return _events(_json(_plain(_bytes(body))))
    except RecursionError:
        raise GarbageEventError("message: nested too deeply, expected an event or a list of events") from None


def _bytes(body: bytes | str) -> bytes:
    try:
        raw = body.encode() if isinstance(body, str) else body
    except UnicodeError:
        raise GarbageEventError("message: not Unicode, expected JSON or base64 of it") from None
    if len(raw) > LARGEST:
        raise GarbageEventError(f"message: {len(raw)} bytes, expected at most {LARGEST}")
    return _trimmed(raw)


def _trimmed(raw: bytes) -> bytes:
    return raw.strip().removeprefix(BOM).strip()


def _plain(text: bytes) -> bytes:
    """Return the JSON text: no base64 begins with a bracket, so that content alone tells which it is."""
    if _is_json(text):
        return text
    try:
        decoded = _trimmed(base64.b64decode(b"".join(text.split()), validate=True))
    except binascii.Error:
        decoded = b""
    if not _is_json(decoded):
        raise GarbageEventError(f"message: {len(text)} bytes of neither, expected JSON or base64 of it")
    return decoded


def _is_json(text: bytes) -> bool:
    return text.startswith((b"{", b"["))


def _json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        raise GarbageEventError(f"message: {len(text)} bytes that aren't JSON, expected an event or a list") from None


def _events(payload: Any) -> tuple[Event, ...]:
    found = payload if isinstance(payload, list) else [payload]
    if not found:
        raise GarbageEventError("message: an empty list, expected at least one event")
    readable: list[Event] = []
    problems: list[str] = []
    for place, event in enumerate(found, 1):
        try:
            readable.append(_event(event))
        except GarbageEventError as garbage:
            problems.append(f"event {place} of {len(found)}: {garbage}")
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise GarbageEventError(problems[0] + more, tuple(readable))
    return tuple(readable)


def _event(event: Any) -> Event:
    fields = _fields("", event, ENVELOPE)
    # CloudEvents say `type` and always `specversion`; Event Grid's own schema says `eventType`.
    type_field = "type" if "specversion" in fields else "eventType"
    if fields.get("specversion", "1.0") != "1.0":
        raise _garbage("specversion", fields["specversion"], "1.0")
    given = _text(fields, type_field, TYPE, "an event type such as " + NEAR_EXPIRY)
    kind = ENDING.get(given.lower(), given)
    if kind not in ENDING.values() and not isinstance(fields.get("data"), dict):
        fields["data"] = {}
    return _about(_text(fields, "id", ID, "1 to 256 printable characters"), kind, fields.get("data"))


def _about(event_id: str, kind: str, given: Any) -> Event:
    data = _fields("data.", given, DATA)
    strict = kind in ENDING.values()
    object_type = _name(data, "ObjectType", OBJECT_TYPE, "Secret", strict=strict)
    strict = strict and object_type == "secret"
    return Event(
        id=event_id,
        type=kind,
        object_type=object_type,
        vault=_name(data, "VaultName", VAULT, "a Key Vault name", strict=strict),
        secret=_name(data, "ObjectName", SECRET, "a secret's name: letters, digits, hyphens", strict=strict),
        version=_name(data, "Version", VERSION, "a version id", strict=strict) if data.get("Version") else "",
        expires=_moment(data, strict=strict),
    )


def _fields(path: str, given: Any, wanted: tuple[str, ...]) -> dict[str, Any]:
    """Return the wanted fields under their proper names, whatever the case and the spaces around them."""
    if not isinstance(given, dict):
        raise _garbage(path.removesuffix(".") or "event", given, "an object")
    proper = {name.lower(): name for name in wanted}
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = proper.get(key.strip().lower())
        if name is not None and found.setdefault(name, value) != value:
            raise GarbageEventError(f"{path}{name}: given twice with different values, expected one")
    return found


def _text(fields: Mapping[str, Any], name: str, form: re.Pattern[str], expected: str) -> str:
    value = fields.get(name)
    text = value.strip() if isinstance(value, str) else ""
    if not form.fullmatch(text):
        raise _garbage(name, value, expected)
    return text


def _name(data: Mapping[str, Any], name: str, form: re.Pattern[str], expected: str, *, strict: bool) -> str:
    value = data.get(name)
    text = value.strip() if isinstance(value, str) else "?"
    # isascii: the Kelvin sign's lower case is an ordinary k.
    if text.isascii() and form.fullmatch(text.lower()):
        return text.lower()
    if strict:
        raise _garbage(f"data.{name}", value, expected)
    return ""


def _moment(data: Mapping[str, Any], *, strict: bool) -> datetime | None:
    value = data.get("EXP")
    text = value.strip() if isinstance(value, str) else value
    if text is None or text == "":
        return None
    if isinstance(text, str) and text.isascii() and SECONDS.fullmatch(text):
        text = float(text)
    if isinstance(text, int | float) and not isinstance(text, bool) and 0 <= text <= LAST_SECOND:
        return datetime.fromtimestamp(text, UTC)
    if strict:
        raise _garbage("data.EXP", value, "seconds since 1970, null, or nothing")
    return None


def _garbage(field: str, value: Any, expected: str) -> GarbageEventError:
    return GarbageEventError(f"{field}: {_shown(value)}, expected {expected}")


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str):
        return f"got {ascii(value[:SHOWN])[:SHOWN]}"
    if isinstance(value, dict | list):
        return "got an object" if isinstance(value, dict) else "got a list"
    return f"got {value!r}"
