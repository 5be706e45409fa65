"""How small blobs are written, read and listed, some of them once only, and what storage's errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError

from rekey.errors import NotYetError, PermanentError

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

_PASSES = frozenset({408, 409, 412, 429})
_WHAT_TO_DO = {
    403: "Grant the storage identity the role Storage Blob Data Contributor on the app's storage account.",
    404: "Create the blob container that Rekey keeps its records in.",
}


async def create(container: "ContainerClient", name: str, body: bytes, metadata: dict[str, str] | None = None) -> bool:
    """Create the blob; False if it is there already, which stays as it is."""
    try:
        # What the service checks is If-None-Match: *
        await container.get_blob_client(name).upload_blob(
            body, match_condition=MatchConditions.IfMissing, metadata=metadata
        )
    except ResourceExistsError as error:
        if code_of(error) != "BlobAlreadyExists":  # a container that is being deleted is a 409 too
            raise
        return False
    return True


async def read_tagged(container: "ContainerClient", name: str) -> tuple[bytes, str] | None:
    """Return what the blob holds, and its ETag; None if there is none."""
    try:
        blob = await container.get_blob_client(name).download_blob()
        return await blob.readall(), blob.properties.etag
    except ResourceNotFoundError as error:
        if code_of(error) != "BlobNotFound":
            raise
        return None


async def replace(container: "ContainerClient", name: str, body: bytes | None, etag: str) -> str | None:
    """Write the blob (None: delete it) if it still has that ETag, "" if there must be none; None if it was changed.

    Returns the new ETag, "" of a deleted one.
    """
    blob = container.get_blob_client(name)
    if_it_is: dict[str, Any] = (
        {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        if etag
        else {"match_condition": MatchConditions.IfMissing}
    )
    try:
        if body is None:
            await blob.delete_blob(**if_it_is)
            return ""
        written = await blob.upload_blob(body, overwrite=bool(etag), **if_it_is)
    except HttpResponseError as error:
        if error.status_code == 412 or code_of(error) in {"BlobNotFound", "BlobAlreadyExists"}:
            return None
        raise
    return str(written["etag"])


async def delete(container: "ContainerClient", name: str) -> None:
    """Delete the blob; one that is gone already is no error."""
    try:
        await container.get_blob_client(name).delete_blob()
    except ResourceNotFoundError as error:
        if code_of(error) != "BlobNotFound":
            raise


async def write_json(container: "ContainerClient", name: str, value: object, what: str) -> None:
    """Write a blob, in place of what is there; errors name `what`."""
    with translated(what):
        await container.get_blob_client(name).upload_blob(msgspec.json.encode(value), overwrite=True)


async def read_json[T](container: "ContainerClient", name: str, kind: type[T], what: str) -> T | None:
    """Return what a blob holds, None if there is none; errors name `what`."""
    with translated(what):
        try:
            blob = await container.get_blob_client(name).download_blob()
            return msgspec.json.decode(await blob.readall(), type=kind)
        except ResourceNotFoundError:
            return None


async def names_under(container: "ContainerClient", prefix: str, what: str) -> list[str]:
    """Return the names of the blobs that begin with `prefix`; errors name `what`."""
    with translated(what):
        return [blob.name async for blob in container.list_blobs(name_starts_with=prefix)]


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the SDK's errors into NotYetError or PermanentError whose message names `what`, and nothing stored."""
    try:
        yield
    except HttpResponseError as error:
        status = error.status_code or 0
        if status in _PASSES or not 400 <= status < 500 or not code_of(error):
            # Storage names a code of its own with every refusal: one that has none came torn, or from somebody else.
            raise NotYetError("storage-busy", f"{what}: storage answered {status}") from None
        advice = _WHAT_TO_DO.get(status, "Check the app's storage account.")
        raise PermanentError("storage-refused", f"{what}: storage answered {status}", advice) from None
    except AzureError as error:
        raise NotYetError("storage-unreachable", f"{what}: no answer ({type(error).__name__})") from None
    except (UnicodeDecodeError, msgspec.DecodeError):  # an answer in another encoding; a blob that came torn
        raise NotYetError("malformed-answer", f"{what}: what storage answered can't be read") from None


def code_of(error: HttpResponseError) -> str:
    """Return the service's error code, which the storage SDK adds to the exceptions of azure-core; "" without one."""
    return str(getattr(error, "error_code", ""))
