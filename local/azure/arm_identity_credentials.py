"""Speaks for the federated credentials of user-assigned managed identities in the simulated Azure Resource Manager.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations has the rules and most of the
refusals. Unconfirmed and chosen: the codes beside those sentences, and the words in which a 21st one is refused.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from local.azure.arm_access import error
from local.azure.arm_identity_writes import Writes
from local.azure.arm_route import AnyCase
from local.azure.directory import Identity
from local.azure.directory_federation import FederatedCredential

if TYPE_CHECKING:
    from local.azure.cloud import Cloud
    from local.azure.wire import ServiceError

MOST = 20
"""Federated credentials of one managed identity."""
_BELOW = "federatedIdentityCredentials"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_LONGEST = 600


class WantedCredential(msgspec.Struct, frozen=True):
    """The properties of a federated credential; all of them are mandatory."""

    issuer: str = ""
    subject: str = ""
    audiences: list[str] = []


class IdentityCredentials:
    """The federated credentials of the identities that `found` finds, for whoever may do with them what is asked."""

    def __init__(self, cloud: "Cloud", writes: Writes, found: Callable[[Request, str], Identity]) -> None:
        self._cloud = cloud
        self._writes = writes
        self._found = found

    def routes(self, identity: str) -> Sequence[BaseRoute]:
        """Return the operations below an identity's path."""
        every, one = f"{identity}/{_BELOW}", f"{identity}/{_BELOW}/{{credential}}"
        return [
            AnyCase(every, self._list, methods=["GET"]),
            AnyCase(one, self._get, methods=["GET"]),
            AnyCase(one, self._put, methods=["PUT"]),
            AnyCase(one, self._delete, methods=["DELETE"]),
        ]

    async def _list(self, request: Request) -> Response:
        identity = self._found(request, f"{_BELOW}/read")
        return JSONResponse({"value": [_shown(identity, one) for one in identity.federated.live()]})

    async def _get(self, request: Request) -> Response:
        identity = self._found(request, f"{_BELOW}/read")
        return JSONResponse(_shown(identity, _existing(request, identity)))

    async def _put(self, request: Request) -> Response:
        identity = self._found(request, f"{_BELOW}/write")
        wanted = self._wanted(request, await request.body())
        self._writes.take(f"{identity.arm_id}/{wanted.name}", "PUT")
        async with self._writes.alone(identity):
            there = _named(request, identity)
            _check(identity, wanted, there)
            if there and _says(there) == _says(wanted):
                return JSONResponse(_shown(identity, there))
            if there:
                identity.federated.remove(there, self._cloud.clock.now())
                wanted = replace(wanted, id=there.id)
            identity.federated.add(wanted)
        return JSONResponse(_shown(identity, wanted), 200 if there else 201)

    async def _delete(self, request: Request) -> Response:
        identity = self._found(request, f"{_BELOW}/delete")
        self._writes.take(f"{identity.arm_id}/{request.path_params['credential']}", "DELETE")
        async with self._writes.alone(identity):
            there = _named(request, identity)
            if there:
                identity.federated.remove(there, self._cloud.clock.now())
        return Response(status_code=200 if there else 204)

    def _wanted(self, request: Request, raw: bytes) -> FederatedCredential:
        name = request.path_params["credential"]
        try:
            found = msgspec.json.decode(raw, type=dict[str, WantedCredential])["properties"]
        except (msgspec.MsgspecError, KeyError) as problem:
            message = f"The request content was invalid and could not be deserialized: '{problem}'."
            raise error(400, "InvalidRequestContent", message) from None
        if not _NAME.fullmatch(name):
            raise _bad(f"Federated Identity Credential name '{name}' is invalid.")
        if not found.issuer or not found.subject:
            raise _bad("Federated Identity Credential from HTTP body has empty properties")
        if len(found.audiences) != 1:
            raise _bad("Federated identity credentials must have exactly one audience.")
        if max(map(len, (found.issuer, found.subject, found.audiences[0]))) > _LONGEST:
            raise _bad(f"Properties of a Federated Identity Credential have at most {_LONGEST} characters.")
        return FederatedCredential(
            name, found.issuer, found.subject, self._cloud.clock.now(), audience=found.audiences[0]
        )


def _check(identity: Identity, wanted: FederatedCredential, there: FederatedCredential | None) -> None:
    """Refuse a pair of issuer and subject that another one has, and a 21st."""
    others = [one for one in identity.federated.live() if one is not there]
    if any((one.issuer, one.subject) == (wanted.issuer, wanted.subject) for one in others):
        raise error(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
    if there is None and len(others) >= MOST:
        raise _bad(f"A managed identity can have at most {MOST} Federated Identity Credentials.")


def _named(request: Request, identity: Identity) -> FederatedCredential | None:
    name = request.path_params["credential"].lower()
    return next((one for one in identity.federated.live() if one.name.lower() == name), None)


def _says(one: FederatedCredential) -> tuple[str, str, str]:
    return one.issuer, one.subject, one.audience


def _existing(request: Request, identity: Identity) -> FederatedCredential:
    if there := _named(request, identity):
        return there
    kind, name = "Microsoft.ManagedIdentity/userAssignedIdentities", request.path_params["credential"]
    message = f"The Resource '{kind}/{identity.name}/{_BELOW}/{name}' was not found."
    raise error(404, "ResourceNotFound", message)


def _bad(message: str) -> "ServiceError":
    return error(400, "BadRequest", message)


def _shown(identity: Identity, one: FederatedCredential) -> dict[str, Any]:
    return {
        "id": f"{identity.arm_id}/{_BELOW}/{one.name}",
        "name": one.name,
        "properties": {"issuer": one.issuer, "subject": one.subject, "audiences": [one.audience]},
        "type": f"Microsoft.ManagedIdentity/userAssignedIdentities/{_BELOW}",
    }
