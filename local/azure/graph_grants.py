"""Knows who may read the directory, make somebody an application's owner or grant app roles, and how Graph answers."""

import base64
import uuid
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from local.azure import graph_roles
from local.azure.directory import Application, Directory, Principal
from local.azure.graph_entities import Entity, user
from local.azure.graph_errors import GraphErrors
from local.azure.graph_objects import Objects
from local.azure.wire import Caller

type Operation = Callable[[Request, Caller], Awaitable[list[Entity] | Entity | Response]]
"""Answers a list, one object, or a response of its own where there is no body."""

# https://learn.microsoft.com/graph/api/application-post-owners: OwnedBy doesn't suffice to add another owner.
_MAY_OWN = frozenset({"Application.ReadWrite.All"})
_MAY_OWN_AS = frozenset({"Application Administrator", "Cloud Application Administrator", "Global Administrator"})
# https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignments: Graph's own roles need these.
_MAY_GRANT = frozenset({"AppRoleAssignment.ReadWrite.All"})
_MAY_GRANT_AS = frozenset({"Global Administrator", "Privileged Role Administrator"})
_MAY_READ = frozenset(
    {
        "Application.Read.All",
        "Application.ReadWrite.All",
        "Application.ReadWrite.OwnedBy",
        "Directory.Read.All",
    }
)
_DONE = 204


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST owners/$ref`."""

    id: str = msgspec.field(name="@odata.id")


class Assignment(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body of `POST appRoleAssignments`."""

    principal_id: uuid.UUID
    resource_id: uuid.UUID
    app_role_id: uuid.UUID


class Grants:
    """Owners and app roles of one directory."""

    def __init__(self, directory: Directory, errors: GraphErrors) -> None:
        self._directory = directory
        self._errors = errors
        self._objects = Objects(directory, errors)

    def of_applications(self) -> list[tuple[str, str, Operation]]:
        """Return method, path below an application, and what answers."""
        return [("POST", "owners/$ref", self._add_owner), ("DELETE", "owners/{owner}/$ref", self._remove_owner)]

    def of_principals(self) -> list[tuple[str, str, Operation]]:
        """Return method, path below a service principal, and what answers."""
        return [
            ("GET", "appRoleAssignments", self._assignments),
            ("POST", "appRoleAssignments", self._assign),
            ("DELETE", "appRoleAssignments/{assignment}", self._unassign),
        ]

    def of_me(self) -> list[tuple[str, str, Operation]]:
        """Return method, path, and what answers about the person that asks."""
        return [
            ("GET", "/v1.0/me", self._me),
            ("GET", "/v1.0/me/transitiveMemberOf/microsoft.graph.directoryRole", self._my_roles),
        ]

    def require_reader(self, caller: Caller) -> None:
        """Refuse whoever may not read applications and service principals; people may by default."""
        if caller.app_roles.isdisjoint(_MAY_READ) and self._directory.user(caller.object_id) is None:
            raise self._errors.denied()

    async def _me(self, _request: Request, caller: Caller) -> Entity:
        person = self._directory.user(caller.object_id)
        if person is None:
            raise self._errors.bad("/me request is only valid with delegated authentication flow.")
        return user(person, readable=True)

    async def _my_roles(self, request: Request, caller: Caller) -> list[Entity]:
        await self._me(request, caller)
        return [graph_roles.directory_role(name) for name in sorted(self._roles(caller))]

    async def _add_owner(self, request: Request, caller: Caller) -> Response:
        app, reference = self._objects.application(request), await self._objects.body(request, Reference)
        self.require_owner(caller, app)
        wanted = reference.id.rpartition("/")[2].lower()
        known = {principal.object_id for principal in self._objects.principals()}
        if wanted not in known and self._directory.user(wanted) is None:
            raise self._errors.missing(wanted)
        if wanted in app.owners:
            added = "One or more added object references already exist for the following modified properties: 'owners'."
            raise self._errors.bad(added)
        app.owners.append(wanted)
        return Response(status_code=_DONE)

    async def _remove_owner(self, request: Request, caller: Caller) -> Response:
        app, owner = self._objects.application(request), request.path_params["owner"].lower()
        self.require_owner(caller, app)
        if owner not in app.owners:
            raise self._errors.missing(owner)
        app.owners.remove(owner)
        return Response(status_code=_DONE)

    def require_owner(self, caller: Caller, app: Application) -> None:
        """Refuse whoever may not change this application: neither a person who owns it nor an administrator."""
        owns = self._directory.user(caller.object_id) is not None and caller.object_id in app.owners
        if not owns and caller.app_roles.isdisjoint(_MAY_OWN) and self._roles(caller).isdisjoint(_MAY_OWN_AS):
            raise self._errors.denied()

    async def _assignments(self, request: Request, caller: Caller) -> list[Entity]:
        self.require_reader(caller)
        principal = self._objects.principal(request)
        return [self._entity(principal, graph_roles.ROLES[name]) for name in _granted(principal)]

    async def _assign(self, request: Request, caller: Caller) -> Entity:
        principal, wanted = self._objects.principal(request), await self._objects.body(request, Assignment)
        self._require_grant(caller)
        names = {role: name for name, role in graph_roles.ROLES.items()}
        if str(wanted.principal_id) != principal.object_id:
            raise self._errors.bad(
                "Invalid value specified for property 'principalId' of resource 'AppRoleAssignment'."
            )
        if str(wanted.resource_id) != self._directory.graph_principal or str(wanted.app_role_id) not in names:
            raise self._errors.bad(f"Permission being assigned was not found on application '{wanted.resource_id}'.")
        name = names[str(wanted.app_role_id)]
        if name in principal.app_roles:
            raise self._errors.bad("Permission being assigned already exists on the object")
        self._directory.holder(principal.object_id).app_roles |= {name}
        return self._entity(principal, str(wanted.app_role_id))

    async def _unassign(self, request: Request, caller: Caller) -> Response:
        principal, wanted = self._objects.principal(request), request.path_params["assignment"]
        self._require_grant(caller)
        for name in _granted(principal):
            if _id(principal.object_id, graph_roles.ROLES[name]) == wanted:
                self._directory.holder(principal.object_id).app_roles -= {name}
                return Response(status_code=_DONE)
        raise self._errors.missing(wanted)

    def _require_grant(self, caller: Caller) -> None:
        if caller.app_roles.isdisjoint(_MAY_GRANT) and self._roles(caller).isdisjoint(_MAY_GRANT_AS):
            raise self._errors.denied()

    def _roles(self, caller: Caller) -> frozenset[str]:
        person = self._directory.user(caller.object_id)
        return person.directory_roles if person else frozenset()

    def _entity(self, principal: Principal, role: str) -> Entity:
        return {
            "id": _id(principal.object_id, role),
            "deletedDateTime": None,
            "appRoleId": role,
            "createdDateTime": None,
            "principalDisplayName": principal.display_name,
            "principalId": principal.object_id,
            "principalType": "ServicePrincipal",
            "resourceDisplayName": "Microsoft Graph",
            "resourceId": self._directory.graph_principal,
        }


def _granted(principal: Principal) -> list[str]:
    return sorted(principal.app_roles & graph_roles.ROLES.keys())


def _id(principal: str, role: str) -> str:
    made = uuid.uuid5(uuid.UUID(principal), role)
    return base64.urlsafe_b64encode(made.bytes).decode().rstrip("=")
