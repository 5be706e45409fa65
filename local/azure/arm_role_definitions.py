"""Speaks for role definitions in the simulated Azure Resource Manager: the built-in roles, by GUID or by name."""

import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from local.azure.arm_access import Access, error
from local.azure.arm_roles import ROLES, by_id, definition_id, id_of, permission
from local.azure.arm_route import AnyCase, require_version

_TYPE = "Microsoft.Authorization/roleDefinitions"
_VERSIONS = ("2015-07-01", "2018-07-01", "2022-04-01")
_NAMED = re.compile(r"(?i)roleName eq '([^']*)'")


class RoleDefinitions:
    """The roles that are simulated; none of them can be changed, and there are no others."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations at any scope, and at the root."""
        found: list[BaseRoute] = []
        for path in (f"/{{scope:path}}/providers/{_TYPE}", f"/providers/{_TYPE}"):
            found.append(AnyCase(path, self._list, methods=["GET"]))
            found.append(AnyCase(f"{path}/{{name}}", self._get, methods=["GET"]))
        return found

    async def _list(self, request: Request) -> Response:
        scope = self._allowed(request)
        wanted = request.query_params.get("$filter", "")
        named = _NAMED.fullmatch(wanted.strip())
        if wanted and named is None:
            raise error(400, "UnsupportedQuery", f"The filter '{wanted}' is not supported.")
        found = [role for role in ROLES if named is None or role.lower() == named[1].lower()]
        return JSONResponse({"value": [_shown(role, scope) for role in found]})

    async def _get(self, request: Request) -> Response:
        scope, name = self._allowed(request), request.path_params["name"]
        if (role := by_id(name)) is None:
            message = f"The specified role definition with ID '{name}' does not exist."
            raise error(404, "RoleDefinitionDoesNotExist", message)
        return JSONResponse(_shown(role, scope))

    def _allowed(self, request: Request) -> str:
        scope = f"/{request.path_params.get('scope', '')}"
        self._access.require(request, f"{_TYPE}/read", scope)
        require_version(request, "roleDefinitions", _VERSIONS)
        return scope


def _shown(role: str, scope: str) -> dict[str, Any]:
    return {
        "properties": {
            "roleName": role,
            "type": "BuiltInRole",
            "description": role,
            "assignableScopes": ["/"],
            "permissions": [permission(role)],
        },
        "id": definition_id(role, scope),
        "type": _TYPE,
        "name": id_of(role),
    }
