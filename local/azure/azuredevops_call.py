"""Knows one request of a member: whose, on which organisation and project, and what its rights are there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_state import Endpoint, Organization, Permission, Project
from local.azure.wire import Caller


@dataclass(frozen=True)
class Call:
    """One request of a member; `preview` tells whether 7.2 was asked for, `origin` is where it was sent."""

    request: Request
    organization: Organization
    caller: Caller
    preview: bool
    origin: str

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    @property
    def project(self) -> Project:
        """The project in the path; ServiceError for one that the caller can't see."""
        project = self.organization.project(self.path("project"))
        if project is None or not self.organization.sees(self.caller.object_id, project):
            raise errors.no_project(self.path("project"))
        return project

    def may(self, project_id: str, wanted: Permission) -> bool:
        """Tell whether the caller has all of `wanted` on the connections of a project."""
        return wanted in self.organization.rights(self.caller.object_id, project_id)

    def may_with(self, endpoint: Endpoint, project_id: str, wanted: Permission) -> bool:
        """Tell whether the caller has all of `wanted` on one connection in a project: whoever made it has."""
        return wanted in self.organization.rights(self.caller.object_id, project_id, endpoint)

    def has(self, project: Project, namespace: str, bits: int) -> bool:
        """Tell whether the caller has all those bits of another security namespace in a project."""
        return self.organization.bits(self.caller.object_id, project, namespace) & bits == bits

    def member(self) -> dict[str, Any]:
        """Return the caller as an identity reference."""
        return identity(self.origin, self.organization, self.caller.object_id, self.caller.client_id)


type Handler = Callable[[Call], Awaitable[Response]]
type Table = list[tuple[str, str, Handler]]
"""Method, path and handler of each operation."""


def identity(origin: str, organization: Organization, object_id: str, name: str) -> dict[str, Any]:
    """Return an identity reference, as the examples of the specification have it."""
    url = f"{origin}/{organization.name}/_apis/Identities/{object_id}"
    return {
        "displayName": name,
        "url": url,
        "_links": {"avatar": {"href": f"{url}/avatar"}},
        "id": object_id,
        "uniqueName": name,
        "imageUrl": f"{url}/avatar",
        "descriptor": f"aad.{object_id}",
    }


async def parsed_body[T](call: Call, kind: type[T]) -> T:
    """Return the request's body as `kind`; a 400 says what is wrong with it."""
    try:
        return msgspec.json.decode(await call.request.body(), type=kind)
    except msgspec.DecodeError as problem:
        raise errors.invalid(f"The request body can't be used: {problem}") from None
