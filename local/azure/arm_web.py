"""Speaks for Microsoft.Web in the simulated Azure Resource Manager: app settings of sites and slots, their references.

Source: https://learn.microsoft.com/rest/api/appservice/web-apps. A PUT of the settings replaces all of them, and takes
no If-Match. `refresh` is told in the article on Key Vault references only; which right it needs is told nowhere.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from local.azure.arm_access import Access, error
from local.azure.arm_route import AnyCase, require_version
from local.azure.arm_web_seed import sites
from local.azure.arm_web_state import TYPE, Site

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

VERSIONS = ("2022-03-01", "2022-09-01", "2023-01-01", "2023-12-01", "2024-04-01", "2024-11-01")
_SITE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}/{{name}}"
_SLOT = f"{_SITE}/slots/{{slot}}"

type Handler = Callable[[Request, Site], Awaitable[Response]]


class Sites:
    """The sites of all subscriptions, by ARM id in lower case."""

    namespace = "Microsoft.Web"

    def __init__(self, cloud: "Cloud", access: Access) -> None:
        self._cloud = cloud
        self._access = access
        self.sites: dict[str, Site] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations on a site and on a slot; each needs the right that its row names."""
        references = "/config/configreferences/appsettings"
        table: list[tuple[str, str, str, Handler]] = [
            ("GET", "", "read", self._read),
            ("POST", "/config/appsettings/list", "config/list/action", self._list),
            ("PUT", "/config/appsettings", "config/write", self._replace),
            ("GET", "/config/slotConfigNames", "config/read", self._sticky),
            ("GET", references, "config/read", self._references),
            ("POST", f"{references}/refresh", "config/write", self._refresh),
            ("GET", f"{references}/{{setting}}", "config/read", self._reference),
            ("POST", "/restart", "restart/action", self._restart),
        ]
        return [
            AnyCase(base + path, self._checked(base, right, run), methods=[method])
            for base in (_SITE, _SLOT)
            for method, path, right, run in table
        ]

    def seed(self, document: dict[str, Any]) -> None:
        """Take the part `sites`: sites by name; one that is there already stays as it is."""
        for site in sites(self._cloud, document.get("sites")):
            self.sites.setdefault(site.id.lower(), site)

    def state(self) -> dict[str, Any]:
        """Return the sites by ARM id, values included."""
        return {site.id: site.told() for site in self.sites.values()}

    def named(self, name: str) -> Site:
        """Return the only site of that name."""
        (found,) = (site for site in self.sites.values() if site.name == name)
        return found

    def _checked(self, base: str, right: str, run: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: token, role, api-version, and a site that exists; rights are looked at first."""
        prefix = TYPE if base == _SITE else f"{TYPE}/slots"

        async def handle(request: Request) -> Response:
            scope = base.format(**request.path_params)
            self._access.require(request, f"{prefix}/{right}", scope)
            require_version(request, "sites", VERSIONS)
            return await run(request, self._found(request))

        return handle

    def _found(self, request: Request) -> Site:
        at = request.path_params
        site = self.sites.get(_SITE.format(**at).lower())
        slot = at.get("slot", "")
        found = site.slots.get(slot.lower()) if site and slot else site
        if found is None:
            raise error(
                404,
                "ResourceNotFound",
                f"The Resource '{TYPE}/{at['name']}{f'/slots/{slot}' if slot else ''}' under resource group "
                f"'{at['group']}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return found

    async def _read(self, _request: Request, site: Site) -> Response:
        host = f"{site.name}-{site.slot}" if site.slot else site.name
        document: dict[str, Any] = {
            **_envelope(site.id, f"{site.name}/{site.slot}" if site.slot else site.name, site),
            "type": f"{TYPE}/slots" if site.slot else TYPE,
            "location": site.location,
            "properties": {"state": "Running", "enabled": True, "defaultHostName": f"{host}.azurewebsites.net"},
        }
        if site.identity is not None:
            identity = {"type": "SystemAssigned", "principalId": site.identity.object_id}
            document["identity"] = {**identity, "tenantId": self._cloud.tenant}
        return JSONResponse(document)

    async def _list(self, _request: Request, site: Site) -> Response:
        return _settings(site)

    async def _replace(self, request: Request, site: Site) -> Response:
        site.replace(_given(await request.body()))
        return _settings(site)

    async def _sticky(self, _request: Request, site: Site) -> Response:
        body = {"properties": {"appSettingNames": site.sticky, "connectionStringNames": None}}
        return JSONResponse({**_envelope(f"{site.id}/config/slotConfigNames", "slotConfigNames", site), **body})

    async def _references(self, _request: Request, site: Site) -> Response:
        return JSONResponse({"value": [_reference(site, name) for name in site.references()]})

    async def _refresh(self, request: Request, site: Site) -> Response:
        site.refresh()
        return await self._references(request, site)

    async def _reference(self, request: Request, site: Site) -> Response:
        asked = request.path_params["setting"].lower()
        name = next((n for n in site.references() if n.lower() == asked), None)
        if name is None:
            raise error(404, "NotFound", f"Cannot find config reference for app setting with name {asked}.")
        return JSONResponse(_reference(site, name))

    async def _restart(self, _request: Request, site: Site) -> Response:
        site.restarts += 1
        return Response()


def _envelope(arm_id: str, name: str, site: Site) -> dict[str, Any]:
    return {"id": arm_id, "name": name, "type": f"{TYPE}/config", "kind": site.kind}


def _settings(site: Site) -> Response:
    envelope = _envelope(f"{site.id}/config/appsettings", "appsettings", site)
    return JSONResponse({**envelope, "location": site.location, "properties": site.settings})


def _reference(site: Site, name: str) -> dict[str, Any]:
    shown = site.references()[name].shown(site.settings[name], tells_version=site.tells_version)
    arm_id = f"{site.id}/config/configreferences/appsettings/{name}"
    return {**_envelope(arm_id, name, site), "properties": shown}


def _given(body: bytes) -> dict[str, str]:
    """Return the settings of a request: values are strings, and none at all takes every setting away."""
    try:
        properties = json.loads(body).get("properties") or {}
        wrong = [name for name, value in properties.items() if not isinstance(value, str)]
    except (ValueError, AttributeError):
        raise error(400, "InvalidRequestContent", "The request content was invalid and could not be read.") from None
    if wrong:
        raise error(400, "BadRequest", f"The parameter {wrong[0]} has an invalid value.")
    return dict(properties)
