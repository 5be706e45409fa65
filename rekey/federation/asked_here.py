"""Who asked for what grants roles, as the operator API heard it: the durable HTTP API believes any name in its input.

Somebody else than who asked has to approve, so that the name must not be the asker's to choose. The API puts down what
it was asked for and by whom; a walk whose request isn't put down was asked for by nobody who is known.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from rekey.blobs import read_json, write_json
from rekey.federation.resolving import is_named
from rekey.model.federation_request import FederationRequest, Target, VendingRequest

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

WITHIN = timedelta(hours=1)
"""How long after the API was asked a walk may begin: an instance that is restarted later was asked for by nobody."""


class _Asked(msgspec.Struct, frozen=True):
    """When the API was asked last."""

    at: datetime


async def keep(container: "ContainerClient", request: FederationRequest | VendingRequest) -> None:
    """Put down that the API was asked for this now."""
    await write_json(container, _blob(request), _Asked(datetime.now(UTC)), "request")


async def believed[R: FederationRequest | VendingRequest](container: "ContainerClient", request: R) -> R:
    """Return the request, without the name of who asked if it grants roles and the API wasn't asked for it lately."""
    if not (grants_roles(request) and is_named(request.requested_by)):
        return request
    found = await read_json(container, _blob(request), _Asked, "request")
    if found and datetime.now(UTC) - found.at < WITHIN:
        return request
    return replace(request, requested_by="")


def grants_roles(request: FederationRequest | VendingRequest) -> bool:
    """Tell whether somebody else has to approve it."""
    return isinstance(request, VendingRequest) or request.target is Target.MANAGED_IDENTITY


def _blob(request: FederationRequest | VendingRequest) -> str:
    """Return the blob for exactly this: who asked, and every word of what."""
    said = type(request).__name__.encode() + b"\n" + msgspec.json.encode(request, order="sorted")
    return f"asked/{hashlib.sha256(said).hexdigest()}.json"
