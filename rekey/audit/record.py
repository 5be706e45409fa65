"""What a record of Key Vault's audit log looks like: its fields, who made the request, and what it was about.

Callers choose how they write a name, in any way that Key Vault understands: the object's id, which Key Vault itself
writes, counts before the request's URI.
https://learn.microsoft.com/azure/key-vault/general/logging#interpret-your-key-vault-logs
"""

import re
from datetime import UTC, datetime
from urllib.parse import unquote

import msgspec

from rekey.audit.access import CHALLENGED, FORBIDDEN, Caller

LONGEST = 256
"""Characters of any one text that is kept."""

_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_PATH = re.compile(r"[a-z]+://[^/?#]*(?P<path>/[^?#]*)", re.IGNORECASE)
_SECRET = re.compile(r"[0-9a-z-]{1,127}")
_VERSION = re.compile(r"[0-9a-f]{32}")
_STATUSES = {"OK": 200, "Unauthorized": CHALLENGED, "Forbidden": FORBIDDEN}
_FAILED = 500

type Text = str | None


class Claims(msgspec.Struct, frozen=True):
    """What of the caller's token is logged; records of some operations have short names for the same claims."""

    app_id: Text = msgspec.field(name="appid", default=None)
    app_id_v2: Text = msgspec.field(name="azp", default=None)
    object_id: Text = msgspec.field(name=_OBJECT_ID, default=None)
    short_object_id: Text = msgspec.field(name="oid", default=None)
    upn: Text = msgspec.field(name=f"{_CLAIMS}/upn", default=None)
    short_upn: Text = msgspec.field(name="upn", default=None)
    unique_name: Text = None

    def caller(self) -> Caller:
        """Return who that is."""
        return Caller(
            app_id=plain(self.app_id or self.app_id_v2).lower(),
            object_id=plain(self.object_id or self.short_object_id).lower(),
            name=plain(self.upn or self.short_upn or self.unique_name),
        )


class Identity(msgspec.Struct, frozen=True):
    """Who made the request: nothing, if it had no token."""

    claim: Claims | None = None


class Properties(msgspec.Struct, frozen=True):
    """What depends on the operation."""

    id: Text = None
    uri: Text = msgspec.field(name="requestUri", default=None)
    status: int | str | None = msgspec.field(name="httpStatusCode", default=None)


class Record(msgspec.Struct, frozen=True, rename={"operation": "operationName", "address": "callerIpAddress"}):
    """One line of the log, as far as it is read."""

    time: datetime
    operation: str
    address: Text = None
    identity: Identity | None = None
    properties: Properties | None = None
    signature: Text = msgspec.field(name="resultSignature", default=None)
    description: Text = msgspec.field(name="resultDescription", default=None)


_decode = msgspec.json.Decoder(Record).decode
_NOTHING = Properties()
_NOBODY = Identity()


def read(line: bytes) -> Record:
    """Return the record in one line; ValueError if there is none."""
    try:
        return _decode(line)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def utc(moment: datetime) -> datetime:
    """Return that time in UTC, which the log's times are in where they don't say it; ValueError beyond the calendar."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"time out of range: {moment}") from None


def caller(record: Record) -> Caller:
    """Return who made the request; nobody, if Key Vault doesn't know."""
    claim = (record.identity or _NOBODY).claim
    return claim.caller() if claim else Caller()


def status(record: Record) -> int:
    """Return the HTTP status, or what amounts to it in the records that have none; ValueError if it is no status."""
    given = (record.properties or _NOTHING).status
    if given is None:
        return _STATUSES.get(record.signature or "OK", _FAILED)
    found = int(given)
    if not 100 <= found <= 599:
        raise ValueError(f"HTTP status {found}")
    return found


def disabled(record: Record) -> bool:
    """Tell whether it was refused because of the version, not of the caller: that one is told so only with the right.

    The sentence is Key Vault's own, `Operation get is not allowed on a disabled secret.`; it has no code in the log.
    """
    return status(record) == FORBIDDEN and "disabled secret" in (record.description or "").lower()


def about(record: Record) -> tuple[str, str]:
    """Return the secret, and the version that the request named; "" for what isn't there, both in lower case."""
    properties = record.properties or _NOTHING
    of_id = _parts(properties.id)
    of_uri = _parts(properties.uri) if properties.uri else of_id
    restored = record.operation == "SecretRestore"  # its URI has that word in the name's place
    secret = of_id[0] or ("" if restored else of_uri[0])
    return secret, of_uri[1]


def plain(text: Text) -> str:
    """Return a text without what can't be shown, and not more of it than anybody needs."""
    short = (text or "")[:LONGEST]
    return short if short.isprintable() else "".join(filter(str.isprintable, short))


def _parts(url: Text) -> tuple[str, str]:
    path = _PATH.match(url or "")
    if not path:
        return "", ""
    collection, secret, version, *_ = (*filter(None, unquote(path["path"]).lower().split("/")), "", "", "")
    if collection not in {"secrets", "deletedsecrets"} or not _SECRET.fullmatch(secret):
        return "", ""
    return secret, version if _VERSION.fullmatch(version) else ""
