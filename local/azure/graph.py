"""Speaks Microsoft Graph v1.0: applications, their passwords and owners, service principals, the app policy."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure import graph_entities as entities
from local.azure.app_policy import AppManagementPolicy
from local.azure.cloud import Cloud
from local.azure.directory import Application, Principal
from local.azure.graph_entities import Entity
from local.azure.graph_errors import GraphErrors, with_ids
from local.azure.graph_passwords import AddPassword, Passwords, RemovePassword
from local.azure.graph_query import Query
from local.azure.seeds import parsed
from local.azure.wire import Caller, ServiceError

PUBLIC_AUDIENCES = frozenset({"https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"})
_READ_APPLICATIONS = frozenset(
    {
        "Application.Read.All",
        "Application.ReadWrite.All",
        "Application.ReadWrite.OwnedBy",
        "Directory.Read.All",
    }
)
_READ_USERS = frozenset({"User.Read.All", "User.ReadBasic.All", "Directory.Read.All"})
_READ_POLICY = frozenset({"Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration"})
_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

type Handler = Callable[[Request, Caller], Awaitable[Response]]


class Graph:
    """Microsoft Graph over the simulated directory."""

    name = "graph"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._errors = GraphErrors(cloud.clock)
        self._passwords = Passwords(cloud, self._errors)

    def serves(self, host: str) -> bool:
        """Answer on `graph.localhost`."""
        return host == "graph.localhost"

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations; objects are addressed by id or by `(appId='...')`."""
        apps = ("/v1.0/applications/{id}", "/v1.0/applications(appId='{app_id}')")
        principals = ("/v1.0/servicePrincipals/{id}", "/v1.0/servicePrincipals(appId='{app_id}')")
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/v1.0/applications", self._applications),
            ("GET", "/v1.0/servicePrincipals", self._service_principals),
            ("GET", "/v1.0/policies/defaultAppManagementPolicy", self._policy),
        ]
        for app in apps:
            table += [("GET", app, self._application), ("GET", f"{app}/owners", self._owners)]
            for action, run in (("addPassword", self._add_password), ("removePassword", self._remove_password)):
                table += [("POST", f"{app}/{action}", run), ("POST", f"{app}/microsoft.graph.{action}", run)]
        for principal in principals:
            table.append(("GET", principal, self._service_principal))
            for cast in ("", "/graph.application", "/microsoft.graph.application"):
                table.append(("GET", f"{principal}/ownedObjects{cast}", self._owned_objects))
        return [Route(path, self._authorised(run), methods=[method]) for method, path, run in table]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return the 429 of Graph."""
        return self._errors.throttled(retry_after)

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx of Graph."""
        return self._errors.broken(status)

    def seed(self, document: dict[str, Any]) -> None:
        """Take `policy`, which is `defaultAppManagementPolicy` as Graph writes it."""
        if "policy" in document:
            self._passwords.policy = parsed(document["policy"], AppManagementPolicy, "policy")

    def state(self) -> dict[str, Any]:
        """Return the app management policy; the directory is Entra's state."""
        return {"policy": self._passwords.policy.told()}

    def _authorised(self, run: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                response = await run(request, self._caller(request))
            except ServiceError as refused:
                raise with_ids(request, refused) from None
            if ours := request.headers.get("client-request-id"):
                response.headers["client-request-id"] = ours
            return response

        return handle

    def _caller(self, request: Request) -> Caller:
        try:
            return self._cloud.authenticate(request, {*PUBLIC_AUDIENCES, self._cloud.url("graph")})
        except ValueError as error:
            raise self._errors.unauthenticated(str(error)) from None

    def _require(self, caller: Caller, permissions: frozenset[str]) -> None:
        if caller.app_roles.isdisjoint(permissions):
            raise self._errors.denied()

    async def _applications(self, request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_APPLICATIONS)
        found = [self._seen(app) for app in self._cloud.directory.applications.values()]
        return self._page(request, found, "applications")

    async def _application(self, request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_APPLICATIONS)
        app, query = self._find_application(request), Query(request, self._errors)
        entity = query.selected(self._seen(app))
        if query.expands("owners"):
            entity["owners"] = self._owner_entities(app, caller)
        return _answer({"@odata.context": self._context("applications/$entity"), **entity})

    async def _owners(self, request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_APPLICATIONS)
        owners = self._owner_entities(self._find_application(request), caller)
        return self._page(request, owners, "directoryObjects")

    async def _add_password(self, request: Request, caller: Caller) -> Response:
        app = self._find_application(request)
        body = self._body(await request.body(), AddPassword)
        added = await self._passwords.add(caller, app, body)
        context = self._context("microsoft.graph.passwordCredential")
        return _answer({"@odata.context": context, **entities.password(added, reveal=True)})

    async def _remove_password(self, request: Request, caller: Caller) -> Response:
        app = self._find_application(request)
        await self._passwords.remove(caller, app, self._body(await request.body(), RemovePassword))
        return Response(status_code=204)

    async def _service_principals(self, request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_APPLICATIONS)
        found = [entities.service_principal(principal) for principal in self._cloud.directory.principals()]
        return self._page(request, found, "servicePrincipals")

    async def _service_principal(self, request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_APPLICATIONS)
        entity = entities.service_principal(self._find_principal(request))
        context = self._context("servicePrincipals/$entity")
        return _answer({"@odata.context": context, **Query(request, self._errors).selected(entity)})

    async def _owned_objects(self, request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_APPLICATIONS)
        owner, kind = self._find_principal(request).object_id, "#microsoft.graph.application"
        owned = [app for app in self._cloud.directory.applications.values() if owner in app.owners]
        return self._page(request, [{"@odata.type": kind, **self._seen(app)} for app in owned], "directoryObjects")

    async def _policy(self, _request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_POLICY)
        context = self._context("policies/defaultAppManagementPolicy/$entity")
        return _answer({"@odata.context": context, **self._passwords.policy.told()})

    def _find_application(self, request: Request) -> Application:
        directory, key = self._cloud.directory, request.path_params
        found = directory.by_object_id(key["id"]) if "id" in key else directory.by_app_id(key["app_id"])
        if found is None:
            raise self._errors.missing(next(iter(key.values())))
        return found

    def _find_principal(self, request: Request) -> Principal:
        key = request.path_params
        wanted = next(iter(key.values())).lower()
        for principal in self._cloud.directory.principals():
            if (principal.object_id if "id" in key else principal.app_id) == wanted:
                return principal
        raise self._errors.missing(wanted)

    def _seen(self, app: Application) -> Entity:
        lag = timedelta(seconds=self._cloud.switches.graph.seconds)
        return entities.application(app, app.seen(self._cloud.clock.now() - lag))

    def _owner_entities(self, app: Application, caller: Caller) -> list[Entity]:
        readable = not caller.app_roles.isdisjoint(_READ_USERS)
        return entities.owners(self._cloud.directory, app, users_readable=readable)

    def _page(self, request: Request, found: list[Entity], context: str) -> Response:
        query = Query(request, self._errors)
        return _answer(query.page(found, self._context(context), self._cloud.url("graph")))

    def _context(self, of: str) -> str:
        return f"{self._cloud.url('graph')}/v1.0/$metadata#{of}"

    def _body[T](self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body or b"{}", type=kind)
        except msgspec.MsgspecError as error:
            raise self._errors.bad(f"Invalid request body: {error}") from None


def _answer(body: dict[str, Any]) -> Response:
    return JSONResponse(body, headers={"x-ms-resource-unit": "1"}, media_type=_JSON)
