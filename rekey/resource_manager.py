"""Speaks Azure Resource Manager's REST API as far as every resource type shares it, and knows how it fails.

Source: https://learn.microsoft.com/rest/api/resources. A resource is named by its ARM id, always one that settings
allow; the origin is the settings' own. Ids are compared without case: the service changes theirs.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
from azure.core.rest import AsyncHttpResponse, HttpRequest

from rekey.azure_errors import malformed, of_status, retry_after, translated
from rekey.errors import PermanentError
from rekey.ports import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rekey.clients import Clients

PERMISSIONS = "2022-04-01"
"""The api-version of Microsoft.Authorization/permissions."""


_UNLOCK = (
    "Replace the lock by one of level CanNotDelete (az lock list shows it, az lock update --lock-type changes it)."
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered: the status, the parsed body (None: there is none) and the ETag, "" without one."""

    status: int
    body: Any = None
    etag: str = ""


def granting(role: str, arm_id: str) -> str:
    """Return the command that gives the app's identity a role on a resource, also for a path below it."""
    resource = "/".join(arm_id.split("/")[:9])
    return f"az role assignment create --assignee <identity> --role '{role}' --scope {resource}"


def right(role: str, needed_for: str) -> Permission:
    """Return a role on a resource as a kind declares it."""
    return Permission("resource-manager", role, needed_for, granting(role, "<the resource's id>"))


class ResourceManager:
    """Azure Resource Manager through the process's shared pipeline. One HTTP request per call, nothing repeated."""

    def __init__(self, clients: "Clients") -> None:
        self._client = clients.resource_manager()
        self._origin = clients.settings.cloud.resource_manager

    async def get(self, path: str, api_version: str, *, role: str) -> Answer:
        """Read what is at an ARM id or below it; `role` is what a 403 says is missing."""
        return await self._sent(self._request("GET", path, api_version), path, role)

    async def listed(
        self, path: str, api_version: str, *, role: str, query: "dict[str, str] | None" = None
    ) -> list[dict[str, Any]]:
        """Return the items of a list, of all its pages; of a link to the next one only the query is followed."""
        found: list[dict[str, Any]] = []
        asked: dict[str, str] | None = query or {}
        while asked is not None:
            body = (await self._sent(self._request("GET", path, api_version, query=asked), path, role)).body or {}
            found += body.get("value") or ()
            asked = _following(body, asked)
        return found

    async def write(
        self,
        method: str,
        path: str,
        api_version: str,
        body: Any = None,
        *,
        role: str,
        if_match: str = "",
        repeatable: bool = True,
    ) -> Answer:
        """Write once. `repeatable=False`: a lost answer is an UnclearError. `if_match`: 412 is a NotYetError."""
        request = self._request(method, path, api_version, body)
        if if_match:
            request.headers["If-Match"] = if_match
        return await self._sent(request, path, role, repeatable=repeatable)

    async def ask_once(self, path: str, api_version: str, body: Any, *, role: str, send_until: float) -> Answer:
        """POST what must never be repeated blindly: a lost answer is an UnclearError.

        What can't be sent by `send_until` (Unix time) is not sent any more: a NotYetError.
        """
        request = self._request("POST", path, api_version, body)
        return await self._sent(request, path, role, repeatable=False, send_until=send_until)

    async def may(self, arm_id: str, actions: "Sequence[str]", *, role: str) -> list[str]:
        """Return those of the actions that the app's identity is not allowed there."""
        path = f"{arm_id}/providers/Microsoft.Authorization/permissions"
        held = (await self.get(path, PERMISSIONS, role=role)).body.get("value", [])
        return [action for action in actions if not any(_allows(one, action) for one in held)]

    def _request(
        self, method: str, path: str, api_version: str, body: Any = None, query: "dict[str, str] | None" = None
    ) -> HttpRequest:
        more = {name: quote(value, safe="") for name, value in (query or {}).items()}
        return HttpRequest(
            method,
            self._origin + path,
            params={**more, "api-version": api_version},
            headers={"Accept": "application/json"},
            json=body,
        )

    async def _sent(
        self, request: HttpRequest, path: str, role: str, *, repeatable: bool = True, **options: Any
    ) -> Answer:
        where, forbidden = f"Azure Resource Manager, {path}", granting(role, path)
        with translated(where, repeatable=repeatable, forbidden=forbidden):
            response = await self._client.send_request(request, **options)
        if response.status_code >= 300:
            code = _code(response)
            if code == "ScopeLocked":
                raise PermanentError("locked", f"{where}: a ReadOnly lock is there, or above it", _UNLOCK)
            refused = of_status(
                response.status_code,
                where,
                repeatable=repeatable,
                forbidden=forbidden,
                service_code=code,
                retry_after=retry_after(response.headers),
            )
            refused.service_code = code
            raise refused
        return Answer(
            status=response.status_code,
            body=_body(response, where, repeatable=repeatable),
            etag=response.headers.get("ETag", ""),
        )


def _following(body: dict[str, Any], asked: dict[str, str]) -> dict[str, str] | None:
    """Return the query for the next page, None after the last: an empty link, or one that leads nowhere new."""
    query = dict(parse_qsl(urlsplit(str(body.get("nextLink") or "")).query))
    query.pop("api-version", None)
    return query if query and query != asked else None


def _body(response: AsyncHttpResponse, where: str, *, repeatable: bool) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise malformed(where, repeatable=repeatable) from None


def _code(response: AsyncHttpResponse) -> str:
    """Return the service's own code, letters and digits only: nothing else of an answer is quoted."""
    try:
        code = str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return code if code.isalnum() and len(code) <= 80 else ""


def _allows(one: dict[str, Any], action: str) -> bool:
    allowed, refused = one.get("actions") or (), one.get("notActions") or ()
    return any(_matches(action, p) for p in allowed) and not any(_matches(action, p) for p in refused)


def _matches(action: str, pattern: str) -> bool:
    """Return whether a pattern of a role definition, with at most a few `*`, covers an action."""
    from fnmatch import fnmatchcase

    return fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]"))
