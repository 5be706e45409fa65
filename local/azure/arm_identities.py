"""Speaks for user-assigned managed identities in the simulated Azure Resource Manager: made, read, tagged, deleted.

Source: https://learn.microsoft.com/rest/api/managedidentity. Resource groups are there whatever they are called. The
limit on writes of one resource is the documented one; those on reads, by subscription and by tenant aren't counted.
https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations#throttling-limits
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from local.azure.arm_access import Access, error
from local.azure.arm_identity_credentials import IdentityCredentials
from local.azure.arm_identity_writes import Writes
from local.azure.arm_route import AnyCase, require_version
from local.azure.directory import Identity, identity_arm_id

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
VERSIONS = ("2018-11-30", "2022-01-31-preview", "2023-01-31", "2024-11-30")
_IN_SUBSCRIPTION = f"/subscriptions/{{subscription}}/providers/{TYPE}"
_IN_GROUP = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}"
_PATH = f"{_IN_GROUP}/{{name}}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}")


class WantedIdentity(msgspec.Struct, frozen=True):
    """The body that makes or changes a managed identity."""

    location: str = ""
    tags: dict[str, str] = {}


class ManagedIdentities:
    """The managed identities of the directory, as resources."""

    namespace = "Microsoft.ManagedIdentity"

    def __init__(self, cloud: "Cloud", access: Access) -> None:
        self._cloud = cloud
        self._access = access
        self._writes = Writes(cloud)
        self._credentials = IdentityCredentials(cloud, self._writes, self._found)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations on identities, and on their federated credentials."""
        return [
            AnyCase(_IN_SUBSCRIPTION, self._list, methods=["GET"]),
            AnyCase(_IN_GROUP, self._list, methods=["GET"]),
            AnyCase(_PATH, self._get, methods=["GET"]),
            AnyCase(_PATH, self._put, methods=["PUT"]),
            AnyCase(_PATH, self._delete, methods=["DELETE"]),
            *self._credentials.routes(_PATH),
        ]

    def seed(self, document: dict[str, Any]) -> None:
        """Take nothing: `identities` are what Entra takes."""

    def state(self) -> dict[str, Any]:
        """Return the identities by ARM id; their federated credentials are told by Entra."""
        return {one.arm_id: _shown(one, self._cloud.tenant) for one in self._cloud.directory.identities.values()}

    async def _list(self, request: Request) -> Response:
        at = request.path_params
        group = at.get("group")
        scope = f"/subscriptions/{at['subscription']}" + (f"/resourceGroups/{group}" if group else "")
        self._allowed(request, "read", scope)
        found = [one for one in self._cloud.directory.identities.values() if _is_below(one, scope)]
        return JSONResponse({"value": [_shown(one, self._cloud.tenant) for one in found]})

    async def _get(self, request: Request) -> Response:
        return JSONResponse(_shown(self._found(request, "read"), self._cloud.tenant))

    async def _put(self, request: Request) -> Response:
        self._allowed(request, "write", _scope(request))
        wanted = _body(await request.body())
        found = self._cloud.directory.identity_by_arm_id(_arm_id(request))
        self._writes.take(_arm_id(request), "PUT")
        if found is None:
            made = self._made(request, wanted)
            return JSONResponse(_shown(made, self._cloud.tenant), 201)
        if wanted.location.lower().replace(" ", "") not in ("", found.location):
            raise error(
                409,
                "InvalidResourceLocation",
                f"The resource '{found.name}' already exists in location '{found.location}' in resource group "
                f"'{request.path_params['group']}'. A resource with the same name cannot be created in location "
                f"'{wanted.location}'. Please select a new resource name.",
            )
        found.tags = dict(wanted.tags)
        return JSONResponse(_shown(found, self._cloud.tenant))

    async def _delete(self, request: Request) -> Response:
        self._allowed(request, "delete", _scope(request))
        self._writes.take(_arm_id(request), "DELETE")
        found = self._cloud.directory.identity_by_arm_id(_arm_id(request))
        if found is None:
            return Response(status_code=204)
        self._cloud.directory.remove_identity(found)
        return Response(status_code=200)

    def _made(self, request: Request, wanted: WantedIdentity) -> Identity:
        name = request.path_params["name"]
        if not _NAME.fullmatch(name):
            message = f"The resource name '{name}' is invalid: 3 to 128 letters, digits, dashes, underscores."
            raise error(400, "InvalidResourceName", message)
        if not wanted.location:
            raise error(400, "LocationRequired", "The location property is required for this definition.")
        lag = timedelta(seconds=self._cloud.switches.graph.principal_seconds)
        location, known_from = wanted.location.lower().replace(" ", ""), self._cloud.clock.now() + lag
        made = Identity(
            name,
            arm_id=_arm_id(request),
            location=location,
            tags=dict(wanted.tags),
            known_from=known_from,
            attached=False,
        )
        self._cloud.directory.add_identity(made)
        return made

    def _found(self, request: Request, operation: str) -> Identity:
        """Return the identity that a path names, to a caller who may do that: rights are looked at first."""
        self._allowed(request, operation, _scope(request))
        found = self._cloud.directory.identity_by_arm_id(_arm_id(request))
        if found is None:
            at = request.path_params
            raise error(
                404,
                "ResourceNotFound",
                f"The Resource '{TYPE}/{at['name']}' under resource group '{at['group']}' was not found. For more "
                "details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return found

    def _allowed(self, request: Request, operation: str, scope: str) -> None:
        self._access.require(request, f"{TYPE}/{operation}", scope)
        require_version(request, TYPE.partition("/")[2], VERSIONS)


def _arm_id(request: Request) -> str:
    at = request.path_params
    return identity_arm_id(at["subscription"], at["group"], at["name"])


def _scope(request: Request) -> str:
    return _PATH.format(**request.path_params)


def _is_below(identity: Identity, scope: str) -> bool:
    return identity.arm_id.lower().startswith(f"{scope.lower()}/")


def _body(raw: bytes) -> WantedIdentity:
    try:
        return msgspec.json.decode(raw or b"{}", type=WantedIdentity)
    except msgspec.MsgspecError as problem:
        message = f"The request content was invalid and could not be deserialized: '{problem}'."
        raise error(400, "InvalidRequestContent", message) from None


def _shown(identity: Identity, tenant: str) -> dict[str, Any]:
    return {
        "id": identity.arm_id,
        "location": identity.location,
        "name": identity.name,
        "properties": {"clientId": identity.client_id, "principalId": identity.object_id, "tenantId": tenant},
        "tags": identity.tags,
        "type": TYPE,
    }
