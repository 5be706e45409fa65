"""How Rekey reads and writes Key Vault: current version, exact versions, staging. Knows the vault's rules, no policy.

Key Vault's rules it rests on: an unversioned GET is the only reliable way to the newest version (lists are ordered by
version id); a disabled version can't be read at all; a PUT always makes a version, so it is never repeated blindly.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from rekey import service_time
from rekey.azure_errors import of_status, translated
from rekey.clients import NO_RETRY
from rekey.errors import NotYetError, PermanentError
from rekey.secret_value import SecretValue

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import HttpResponse
    from azure.keyvault.secrets import KeyVaultSecret, SecretProperties
    from azure.keyvault.secrets.aio import SecretClient

PURGE_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds: a deletion takes a while, and until it is through a purge is refused with 409."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A secret version's properties, without its value."""

    id: str
    enabled: bool
    created: datetime
    expires: datetime | None
    content_type: str | None
    tags: Mapping[str, str]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing shows of a secret: its newest version's properties, without value and without version id."""

    name: str
    enabled: bool
    created: datetime
    expires: datetime | None
    tags: Mapping[str, str]


def grant(vault: str) -> str:
    """Return how the app's identity is let into that vault."""
    return (
        "Grant the app's identity `Key Vault Secrets Officer`: az role assignment create --assignee <identity> "
        f"--role 'Key Vault Secrets Officer' --scope <resource id of {vault}>"
    )


class Vault:
    """One vault, through its shared client."""

    def __init__(self, client: "SecretClient", name: str) -> None:
        self._client = client
        self._name = name
        self._grant = grant(name)

    async def current(self, secret: str) -> tuple[Version, SecretValue]:
        """Return the newest version; PermanentError `secret-disabled` or `not-found` if it can't be had."""
        try:
            with translated(self._where(secret), forbidden=self._grant):
                return _parsed(await self._client.get_secret(secret))
        except PermanentError as error:
            if "SecretDisabled" in error.message:
                raise PermanentError(
                    "secret-disabled", f"{self._where(secret)}: the newest version is disabled"
                ) from None
            raise

    async def listing(self) -> AsyncIterator[Listed]:
        """Yield every secret of the vault, page by page; those that Key Vault manages for certificates are left out."""
        with translated(f"Key Vault {self._name}", forbidden=self._grant):
            async for found in self._client.list_properties_of_secrets():
                if not found.managed:
                    yield _listed(found)

    async def time(self) -> datetime | None:
        """Return the vault's own time, which its dates are to be compared with; None if it doesn't say."""
        said: list[str | None] = []

        def note(response: "PipelineResponse[Any, HttpResponse]") -> None:
            said.append(response.http_response.headers.get("Date"))

        with translated(f"Key Vault {self._name}", forbidden=self._grant):
            pages = self._client.list_properties_of_secrets(max_page_size=1, raw_response_hook=note).by_page()
            await anext(pages, None)
        return service_time.said_by(said[-1:])

    async def versions(self, secret: str) -> list[Version]:
        """Return all versions of a secret, the oldest first; within one second their order is not known."""
        with translated(self._where(secret), forbidden=self._grant):
            found = [_properties(v) async for v in self._client.list_properties_of_secret_versions(secret)]
        return sorted(found, key=lambda version: version.created)

    async def tags_of_deleted(self, secret: str) -> Mapping[str, str]:
        """Return the tags that a deleted secret had; none if it isn't there (any more)."""
        with translated(self._where(secret), forbidden=self._grant):
            try:
                deleted = await self._client.get_deleted_secret(secret)
            except ResourceNotFoundError:
                return {}
        return dict(deleted.properties.tags or {})

    async def read(self, secret: str, version: str) -> tuple[Version, SecretValue] | None:
        """Return exactly that version, None if it (or the secret) isn't there."""
        try:
            with translated(self._where(secret), forbidden=self._grant):
                return _parsed(await self._client.get_secret(secret, version))
        except PermanentError as error:
            if error.code == "not-found":
                return None
            raise

    async def value(self, secret: str, version: str) -> SecretValue:
        """Return the value of exactly that version; NotYetError `version-gone` while it isn't there, or not seen."""
        found = await self.read(secret, version)
        if found is None:
            raise NotYetError("version-gone", f"{self._where(secret)}: version {version} is gone, or not seen yet")
        return found[1]

    async def set(
        self,
        secret: str,
        value: SecretValue,
        *,
        tags: Mapping[str, str],
        expires: datetime | None = None,
        not_before: datetime | None = None,
        content_type: str | None = None,
    ) -> Version:
        """Write a new version; a lost answer is an UnclearError, because repeating would write another one."""
        with translated(self._where(secret), repeatable=False, forbidden=self._grant):
            written = await self._client.set_secret(
                secret,
                value.reveal(),
                tags=dict(tags),
                expires_on=expires,
                not_before=not_before,
                content_type=content_type,
                **NO_RETRY,
            )
        return _properties(written.properties)

    async def touch(self, secret: str, version: str) -> None:
        """Update nothing of a version: proves the right to write. What isn't named in the request stays as it is.

        Not by enabling what is enabled: an attempt that comes late would enable the version that was disabled since.
        """
        with translated(self._where(secret), forbidden=self._grant):
            await self._client.update_secret_properties(secret, version)

    async def disable(self, secret: str, version: str) -> None:
        """Disable that version; the caller makes sure that it isn't the newest."""
        with translated(self._where(secret), forbidden=self._grant):
            await self._client.update_secret_properties(secret, version, enabled=False)

    async def enable(self, secret: str, version: str) -> None:
        """Enable that version again."""
        with translated(self._where(secret), forbidden=self._grant):
            await self._client.update_secret_properties(secret, version, enabled=True)

    async def destroy(self, secret: str) -> None:
        """Delete and purge a secret with all its versions; one that is gone already is no error.

        Not through the SDK's delete, which polls for the end of the deletion: a purge that is refused tells the same.
        """
        with translated(self._where(secret), forbidden=self._grant):
            deleted = await self._client.send_request(HttpRequest("DELETE", f"/secrets/{secret}"))
            if deleted.status_code not in {200, 404, 409}:
                raise of_status(deleted.status_code, self._where(secret), forbidden=self._grant)
        for pause in PURGE_PAUSES:
            await asyncio.sleep(pause)
            if await self._purged(secret):
                return
        raise NotYetError("deletion-running", f"{self._where(secret)}: still being deleted")

    async def _purged(self, secret: str) -> bool:
        with translated(self._where(secret), forbidden=self._grant):
            try:
                await self._client.purge_deleted_secret(secret)
            except ResourceNotFoundError:
                return True
            except HttpResponseError as error:
                if error.status_code != 409:
                    raise
                return False
        return True

    def _where(self, secret: str) -> str:
        return f"Key Vault {self._name}, secret {secret}"


def _parsed(read: "KeyVaultSecret") -> tuple[Version, SecretValue]:
    if not read.value:
        raise PermanentError("empty-secret", f"secret {read.name} has an empty value", "Set the secret's value once.")
    return _properties(read.properties), SecretValue(read.value)


def _listed(found: "SecretProperties") -> Listed:
    if found.name is None or found.created_on is None:
        raise NotYetError("incomplete-answer", "Key Vault answered without name or creation time")
    return Listed(
        name=found.name,
        enabled=bool(found.enabled),
        created=found.created_on,
        expires=found.expires_on,
        tags=dict(found.tags or {}),
    )


def _properties(found: "SecretProperties") -> Version:
    if found.version is None or found.created_on is None:
        raise NotYetError("incomplete-answer", "Key Vault answered without version or creation time")
    return Version(
        id=found.version,
        enabled=bool(found.enabled),
        created=found.created_on,
        expires=found.expires_on,
        content_type=found.content_type,
        tags=dict(found.tags or {}),
    )
