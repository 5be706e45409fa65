"""Speaks for Microsoft.Authorization in the simulated Azure Resource Manager: role assignments and role definitions.

Source: https://learn.microsoft.com/rest/api/authorization. Unconfirmed and chosen: the statuses with which a changed
assignment and one that isn't there are refused.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from local.azure.arm_access import ASSIGNMENTS, Access, Assignment, error
from local.azure.arm_assignment_bodies import Wanted, condition_of, filtering, role_of, shown, told, wanted_name
from local.azure.arm_assignment_bodies import wanted as asked
from local.azure.arm_role_definitions import RoleDefinitions
from local.azure.arm_route import AnyCase, require_version

if TYPE_CHECKING:
    from local.azure.cloud import Cloud
    from local.azure.wire import Caller

VERSIONS = ("2015-07-01", "2018-07-01", "2022-04-01")
_PATH = f"/{{scope:path}}/providers/{ASSIGNMENTS}"


class Authorization:
    """The role assignments that Access holds, as clients read and write them."""

    namespace = "Microsoft.Authorization"

    def __init__(self, cloud: "Cloud", access: Access) -> None:
        self._cloud = cloud
        self._access = access

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations on role assignments and role definitions, at any scope."""
        return [
            AnyCase(_PATH, self._list, methods=["GET"]),
            AnyCase(f"{_PATH}/{{name}}", self._get, methods=["GET"]),
            AnyCase(f"{_PATH}/{{name}}", self._put, methods=["PUT"]),
            AnyCase(f"{_PATH}/{{name}}", self._delete, methods=["DELETE"]),
            *RoleDefinitions(self._access).routes(),
        ]

    def seed(self, document: dict[str, Any]) -> None:
        """Take nothing: `role_assignments` are what Access takes."""

    def state(self) -> dict[str, Any]:
        """Return the role assignments by name."""
        return {one.name: told(one) for one in self._access.assignments}

    async def _list(self, request: Request) -> Response:
        scope = self._allowed(request, "read")
        above_only, principal = filtering(request.query_params.get("$filter", ""))
        found = [
            one
            for one in self._access.assignments
            if (one.reaches(scope) or (not above_only and f"{one.scope.lower()}/".startswith(f"{scope.lower()}/")))
            and principal in (None, one.object_id)
        ]
        return JSONResponse({"value": [shown(one) for one in found]})

    async def _get(self, request: Request) -> Response:
        scope = self._allowed(request, "read")
        found = self._found(scope, request.path_params["name"])
        if found is None:
            name = request.path_params["name"]
            raise error(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")
        return JSONResponse(shown(found))

    async def _put(self, request: Request) -> Response:
        caller = self._access.caller(request)
        require_version(request, "roleAssignments", VERSIONS)
        body = asked(await request.body())
        wanted = self._wanted(request, caller, body)
        self._access.require_assigning(caller, "write", wanted)
        self._check_principal(wanted, was_told=body.principal_type is not None)
        if same := self._named(wanted):
            return JSONResponse(shown(same), 200)
        self._access.assignments.append(wanted)
        return JSONResponse(shown(wanted), 201)

    async def _delete(self, request: Request) -> Response:
        caller = self._access.caller(request)
        require_version(request, "roleAssignments", VERSIONS)
        scope = _scope(request)
        found = self._found(scope, request.path_params["name"])
        if found is None:
            self._access.require(request, f"{ASSIGNMENTS}/delete", scope)
            return Response(status_code=204)
        self._access.require_assigning(caller, "delete", found)
        self._access.assignments.remove(found)
        return JSONResponse(shown(found))

    def _allowed(self, request: Request, operation: str) -> str:
        scope = _scope(request)
        self._access.require(request, f"{ASSIGNMENTS}/{operation}", scope)
        require_version(request, "roleAssignments", VERSIONS)
        return scope

    def _found(self, scope: str, name: str) -> Assignment | None:
        return next(
            (a for a in self._access.assignments if (a.name, a.scope.lower()) == (name.lower(), scope.lower())), None
        )

    def _wanted(self, request: Request, caller: "Caller", body: Wanted) -> Assignment:
        now = self._cloud.clock.now()
        return Assignment(
            object_id=body.principal_id.lower(),
            role=role_of(body.role_definition_id),
            scope=_scope(request),
            condition=condition_of(body),
            principal_type=body.principal_type or self._type_of(body.principal_id) or "User",
            name=wanted_name(request.path_params["name"]),
            description=body.description,
            created=now,
            by=caller.object_id,
            effective=now + timedelta(seconds=self._cloud.switches.arm.seconds),
        )

    def _type_of(self, object_id: str) -> str | None:
        """Return what the directory's replicas already know of a principal."""
        directory = self._cloud.directory
        if any(one.object_id == object_id.lower() for one in directory.principals()):
            return "ServicePrincipal"
        return "User" if directory.user(object_id.lower()) else None

    def _check_principal(self, wanted: Assignment, *, was_told: bool) -> None:
        """Refuse whom the directory doesn't show; told a type, the service doesn't look whether there is anybody."""
        known = self._type_of(wanted.object_id)
        if known is None and not was_told:
            raise error(
                400,
                "PrincipalNotFound",
                f"Principal {wanted.object_id.replace('-', '')} does not exist in the directory {self._cloud.tenant}. "
                "Check that you have the correct principal ID. If you are creating this principal and then immediately "
                "assigning a role, this error might be related to a replication delay. In this case, set the role "
                "assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See "
                "https://aka.ms/docs-principaltype",
            )
        if known not in (None, wanted.principal_type):
            raise error(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{wanted.object_id.replace('-', '')}' has type '{known}' , which is different from "
                f"specified PrinciaplType '{wanted.principal_type}'.",
            )

    def _named(self, wanted: Assignment) -> Assignment | None:
        """Return the same assignment under the same name; what contradicts it is refused."""
        for one in self._access.assignments:
            same = (one.object_id, one.role, one.scope.lower()) == (
                wanted.object_id,
                wanted.role,
                wanted.scope.lower(),
            )
            if one.name == wanted.name and not same:
                message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
                raise error(400, "RoleAssignmentUpdateNotPermitted", message)
            if one.name == wanted.name:
                return one
            if same:
                message = "The role assignment already exists. The ID of the existing role assignment is "
                raise error(409, "RoleAssignmentExists", f"{message}{one.name.replace('-', '')}.")
        return None


def _scope(request: Request) -> str:
    return f"/{request.path_params['scope']}"
