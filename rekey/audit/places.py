"""Finds whose audit logs an account has: Azure Monitor files them under the vault's resource id, in any case."""

from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError

from rekey.azure_errors import translated
from rekey.blobs import code_of
from rekey.errors import PermanentError
from rekey.model.audit import Place
from rekey.names import AUDIT_LOGS

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

_ABOVE = ("resourceid=", "subscriptions", "", "resourcegroups", "", "providers", "microsoft.keyvault", "vaults")
"""The folders above a vault's, lower case; "" is any."""


async def places(container: "ContainerClient", account: int, vaults: Collection[str]) -> tuple[Place, ...]:
    """Return where the logs of those vaults (lower case) are; none where no vault has ever had a log.

    Costs a request for each folder above the vaults. Errors: NotYetError, PermanentError.
    """
    folders = [""]
    with reading_logs(f"audit logs of account {account}"):
        for expected in _ABOVE:
            folders = [below async for below in _below(container, folders) if expected in {"", _last(below)}]
        found = [below async for below in _below(container, folders) if _last(below) in vaults]
    return tuple(Place(account=account, prefix=prefix, vault=_last(prefix)) for prefix in found)


@contextmanager
def reading_logs(what: str) -> Iterator[None]:
    """Turn the SDK's errors into RekeyErrors that say which right on the logs' account is missing."""
    grant = "Grant the storage identity the role Storage Blob Data Reader on the account that the audit logs are in."
    try:
        with translated(what, forbidden=grant):
            yield
    except PermanentError as error:
        if error.code != "not-found":
            raise
        advice = f"Check whether somebody deleted the container {AUDIT_LOGS}: Azure Monitor makes it again."
        raise PermanentError("audit-logs-gone", error.message, advice) from None


async def _below(container: "ContainerClient", folders: list[str]) -> AsyncIterator[str]:
    """Yield the folders in those; blobs between them are nothing of ours."""
    from azure.storage.blob.aio import BlobPrefix

    try:
        for folder in folders:
            async for found in container.walk_blobs(name_starts_with=folder, delimiter="/"):
                if isinstance(found, BlobPrefix):
                    yield found.name
    except ResourceNotFoundError as error:
        if code_of(error) != "ContainerNotFound":  # Azure Monitor makes it with its first log
            raise


def _last(folder: str) -> str:
    return folder.removesuffix("/").rpartition("/")[2].lower()
