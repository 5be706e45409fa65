"""Knows which pipelines of a project may use a service connection without being asked, and which checks guard it.

https://learn.microsoft.com/rest/api/azure/devops/approvalsandchecks (7.1 preview). Both are a project's own: a shared
connection has them in each. What a check does is in its settings, which the specification leaves out and
`$expand=settings` shows; they are copied as they are, and shown to nobody.
"""

from typing import Any

import msgspec

from rekey.azure_devops import AzureDevOps, below
from rekey.azure_errors import malformed

_PREVIEW = {"api-version": "7.1-preview.1"}
_OWN = frozenset({"id", "url", "_links", "createdBy", "createdOn", "modifiedBy", "modifiedOn", "issue", "version"})
"""What the service says of a check, and nobody can tell it."""


class _Permission(msgspec.Struct):
    id: int = 0
    authorized: bool | None = None


class _Permissions(msgspec.Struct, rename="camel"):
    all_pipelines: _Permission | None = None
    pipelines: list[_Permission] | None = None


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """The pipelines, by their number, that may use a connection without being asked; `all`: whichever there are."""

    all: bool = False
    pipelines: frozenset[int] = frozenset()


class Access(AzureDevOps):
    """Pipeline permissions and checks of one organization's service connections."""

    async def allowed(self, project: str, endpoint_id: str) -> Allowed:
        """Return who may use it."""
        answer = await self.call("GET", _permissions(project, endpoint_id), _PREVIEW)
        try:
            found = msgspec.convert(answer or {}, _Permissions)
        except msgspec.ValidationError:
            raise malformed(self._where, repeatable=True) from None
        everybody = found.all_pipelines is not None and bool(found.all_pipelines.authorized)
        return Allowed(all=everybody, pipelines=frozenset(p.id for p in found.pipelines or () if p.authorized))

    async def allow(self, project: str, endpoint_id: str, pipelines: list[int]) -> None:
        """Let these pipelines use it; those that may already still may."""
        body = {"pipelines": [{"id": one, "authorized": True} for one in pipelines]}
        await self.call("PATCH", _permissions(project, endpoint_id), _PREVIEW, body)

    async def allow_all(self, project: str, endpoint_id: str, *, allowed: bool) -> None:
        """Let every pipeline use it, or only those that are named."""
        body = {"allPipelines": {"authorized": allowed}}
        await self.call("PATCH", _permissions(project, endpoint_id), _PREVIEW, body)

    async def checks(self, project: str, endpoint_id: str) -> list[dict[str, Any]]:
        """Return the checks that guard it, as the service has them."""
        query = {"resourceType": "endpoint", "resourceId": endpoint_id, "$expand": "settings", **_PREVIEW}
        return await self.listed(f"{below(project)}/pipelines/checks/configurations", query)

    async def add_check(self, project: str, endpoint_id: str, check: dict[str, Any]) -> None:
        """Guard it with a check like that one; UnclearError if that may have happened."""
        body = {**like(check), "resource": {"type": "endpoint", "id": endpoint_id}}
        path = f"{below(project)}/pipelines/checks/configurations"
        await self.call("POST", path, _PREVIEW, body, repeatable=False)


def like(check: dict[str, Any]) -> dict[str, Any]:
    """Return what makes a check what it is, whatever it guards and whoever made it."""
    return {name: value for name, value in check.items() if name not in _OWN | {"resource"} and value is not None}


def _permissions(project: str, endpoint_id: str) -> str:
    return f"{below(project)}/pipelines/pipelinepermissions/endpoint/{endpoint_id}"
