"""Knows the JSON of Key Vault's secrets API: what requests carry, what answers and errors look like."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from local.azure.keyvault_state import (
    MAX_CONTENT_TYPE,
    MAX_TAG_LENGTH,
    MAX_TAGS,
    MAX_VALUE_BYTES,
    Refusal,
    RefusedError,
    Secret,
    Vault,
    Version,
)
from local.azure.wire import ServiceError

PAGE = 25
_FIRST_PREVIOUS_VERSION = "2025-07-01"


class Attributes(msgspec.Struct, frozen=True):
    """The attributes a caller may set; what is absent stays as it is."""

    enabled: bool | None = None
    exp: int | None = None
    nbf: int | None = None


class SetRequest(msgspec.Struct, frozen=True, rename="camel"):
    """The body of PUT."""

    value: str
    tags: dict[str, str] | None = None
    content_type: str | None = None
    attributes: Attributes | None = None


class UpdateRequest(msgspec.Struct, frozen=True, rename="camel"):
    """The body of PATCH: a value can't be changed."""

    tags: dict[str, str] | None = None
    content_type: str | None = None
    attributes: Attributes | None = None


def error(
    status: int, code: str, message: str, inner: str | None = None, headers: dict[str, str] | None = None
) -> ServiceError:
    """Return an error in Key Vault's shape."""
    body: dict[str, Any] = {"code": code, "message": message}
    if inner:
        body["innererror"] = {"code": inner}
    return ServiceError(status, {"error": body}, headers)


def bad_parameter(message: str) -> ServiceError:
    """Return the 400 for a request that can't be understood."""
    return error(400, "BadParameter", message)


_HELP = (
    "If you recently deleted this secret you may be able to recover it using the correct recovery command. "
    "For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
)
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    Refusal.NOT_FOUND: (
        404,
        "SecretNotFound",
        f"A secret with (name/id) {{0}} was not found in this key vault. {_HELP}",
    ),
    Refusal.DELETED_NOT_FOUND: (404, "SecretNotFound", "Deleted Secret not found: {0}"),
    Refusal.BEING_DELETED: (409, "Conflict", "Secret {0} is currently being deleted."),
    Refusal.BEING_RECOVERED: (409, "Conflict", "Secret {0} is currently being recovered."),
    Refusal.RECOVERABLE: (
        409,
        "Conflict",
        (
            "Secret {0} is currently in a deleted but recoverable state, and its name cannot be reused; "
            "in this state, the secret can only be recovered or purged."
        ),
    ),
    Refusal.DISABLED: (403, "Forbidden", "Operation get is not allowed on a disabled secret."),
    Refusal.PURGE_PROTECTED: (
        403,
        "Forbidden",
        (
            'Operation "purge" is not allowed because purge protection is enabled for this vault. '
            "Key Vault service will automatically purge it after the retention period has passed."
        ),
    ),
}


def refusal(refused: RefusedError) -> ServiceError:
    """Return what the service answers to an operation that the secret's state doesn't allow."""
    status, code, message = _REFUSALS[refused.reason]
    shown = f"{refused.name}/{refused.version}" if refused.version else refused.name
    inner = None if status == 404 else str(refused.reason)
    return error(status, code, message.format(shown), inner)


def body_of[T: (SetRequest, UpdateRequest)](raw: bytes, kind: type[T]) -> T:
    """Parse a request's body and hold it against the service's limits; else its 400."""
    try:
        body = msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as problem:
        raise bad_parameter(f"Property has invalid value: {problem}") from None
    _check_limits(body.tags, body.content_type)
    if isinstance(body, SetRequest) and len(body.value.encode()) > MAX_VALUE_BYTES:
        raise bad_parameter(f"The secret value is too long: at most {MAX_VALUE_BYTES} bytes are allowed.")
    return body


def _check_limits(tags: dict[str, str] | None, content_type: str | None) -> None:
    if tags and len(tags) > MAX_TAGS:
        raise bad_parameter(f"Too many tags: {len(tags)} were given, at most {MAX_TAGS} are allowed.")
    for name, value in (tags or {}).items():
        if not name or len(name) > MAX_TAG_LENGTH or len(value) > MAX_TAG_LENGTH:
            raise bad_parameter(
                f"Tag {name[:MAX_TAG_LENGTH]}: name and value may have at most {MAX_TAG_LENGTH} characters."
            )
    if content_type and len(content_type) > MAX_CONTENT_TYPE:
        raise bad_parameter(f"The content type may have at most {MAX_CONTENT_TYPE} characters.")


def page_size(given: str | None) -> int:
    """Return how many items a page may have."""
    if given is None:
        return PAGE
    if not given.isdigit() or not 1 <= int(given) <= PAGE:
        raise bad_parameter(f"invalid maxresults: {given}")
    return int(given)


class Bodies:
    """The answers of one vault at one origin, in the shape of the api-version that was asked for."""

    def __init__(self, vault: Vault, origin: str, api_version: str) -> None:
        self._vault, self._origin, self._api_version = vault, origin, api_version

    def bundle(self, secret: Secret, version: Version) -> dict[str, Any]:
        """Return a secret with its value."""
        return {"value": version.value, **self.properties(secret, version)}

    def properties(self, secret: Secret, version: Version) -> dict[str, Any]:
        """Return a version without its value."""
        body = self._item(f"{secret.name}/{version.id}", version)
        dated = self._api_version[:4].isdigit()  # before 2025 versions were numbers: 7.4, 7.6-preview.1
        if version.previous and dated and self._api_version >= _FIRST_PREVIOUS_VERSION:
            body["previousVersion"] = version.previous
        return body

    def version_item(self, secret: Secret, version: Version) -> dict[str, Any]:
        """Return a version as the list of versions has it."""
        return self._item(f"{secret.name}/{version.id}", version)

    def secret_item(self, secret: Secret) -> dict[str, Any]:
        """Return a secret as the list of secrets has it: no version in its id, the latest one's attributes."""
        return self._item(secret.name, secret.latest)

    def deleted_bundle(self, secret: Secret) -> dict[str, Any]:
        """Return a deleted secret as DELETE and GET answer it; no value."""
        return {**self._deletion(secret), **self.properties(secret, secret.latest)}

    def deleted_item(self, secret: Secret) -> dict[str, Any]:
        """Return a deleted secret as the list has it."""
        return {**self._deletion(secret), **self.secret_item(secret)}

    def page(self, items: list[dict[str, Any]], path: str, start: int, size: int) -> dict[str, Any]:
        """Return one page; the last one has a null link, as the service sends it."""
        following = start + size
        link = None
        if following < len(items):
            query = urlencode({"api-version": self._api_version, "$skiptoken": following, "maxresults": size})
            link = f"{self._origin}{path}?{query}"
        return {"value": items[start:following], "nextLink": link}

    def _item(self, path: str, version: Version) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": f"{self._origin}/secrets/{path}",
            "attributes": self._attributes(version),
            "tags": version.tags,
            "contentType": version.content_type,
        }
        return {name: value for name, value in item.items() if value is not None}

    def _attributes(self, version: Version) -> dict[str, Any]:
        times = {"nbf": version.nbf, "exp": version.exp}
        return {
            "enabled": version.enabled,
            **{name: value for name, value in times.items() if value is not None},
            "created": version.created,
            "updated": version.updated,
            "recoveryLevel": self._vault.recovery_level,
            "recoverableDays": self._vault.retention_days,
        }

    def _deletion(self, secret: Secret) -> dict[str, Any]:
        deleted_at = secret.deleted_at or datetime.now(UTC)
        return {
            "recoveryId": f"{self._origin}/deletedsecrets/{secret.name}",
            "deletedDate": int(deleted_at.timestamp()),
            "scheduledPurgeDate": int(self._vault.scheduled_purge(secret).timestamp()),
        }
