"""Speaks Microsoft Graph v1.0: applications, their passwords and owners, service principals, app roles, the policy."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure import graph_entities as entities
from local.azure import graph_roles
from local.azure.app_policy import AppManagementPolicy
from local.azure.cloud import Cloud
from local.azure.directory import Application
from local.azure.graph_entities import Entity
from local.azure.graph_errors import GraphErrors, with_ids
from local.azure.graph_federation import FederatedCredentials
from local.azure.graph_grants import Grants, Operation
from local.azure.graph_objects import Objects
from local.azure.graph_passwords import AddPassword, Passwords, RemovePassword
from local.azure.graph_query import Query
from local.azure.graph_registrations import Registrations
from local.azure.seeds import parsed
from local.azure.wire import Caller, ServiceError

PUBLIC_AUDIENCES = frozenset({"https://graph.microsoft.com", graph_roles.APP_ID})
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
        table += self._granting(apps, principals)
        return [Route(path, self._authorised(run), methods=[method]) for method, path, run in table]

    def _granting(self, apps: Sequence[str], principals: Sequence[str]) -> Iterator[tuple[str, str, Handler]]:
        grants = self._grants
        for method, path, run in Registrations(self._cloud.directory, self._errors, self._cloud.clock).operations():
            yield method, path, self._told(run, path.split("/")[2])
        for method, path, run in grants.of_me():
            yield method, path, self._told(run, path.rpartition("/")[2])
        for method, below, run in grants.of_applications():
            yield from ((method, f"{app}/{below}", self._told(run, "directoryObjects")) for app in apps)
        for method, below, run in FederatedCredentials(self._cloud, self._errors).of_applications():
            yield from ((method, f"{app}/{below}", self._told(run, "federatedIdentityCredentials")) for app in apps)
        for method, below, run in grants.of_principals():
            yield from ((method, f"{one}/{below}", self._told(run, "appRoleAssignments")) for one in principals)

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

    def _told(self, run: Operation, context: str) -> Handler:
        async def handle(request: Request, caller: Caller) -> Response:
            match await run(request, caller):
                case Response() as response:
                    return response
                case list() as found:
                    return self._page(request, found, context)
                case entity:
                    shown = Query(request, self._errors).selected(entity)
                    status = 201 if request.method == "POST" else 200
                    return _answer({"@odata.context": self._context(f"{context}/$entity"), **shown}, status)

        return handle

    @property
    def _objects(self) -> Objects:
        return Objects(self._cloud.directory, self._errors)

    @property
    def _grants(self) -> Grants:
        return Grants(self._cloud.directory, self._errors)

    def _caller(self, request: Request) -> Caller:
        try:
            return self._cloud.authenticate(request, {*PUBLIC_AUDIENCES, self._cloud.url("graph")})
        except ValueError as error:
            raise self._errors.unauthenticated(str(error)) from None

    def _require(self, caller: Caller, permissions: frozenset[str]) -> None:
        if caller.app_roles.isdisjoint(permissions):
            raise self._errors.denied()

    async def _applications(self, request: Request, caller: Caller) -> Response:
        self._grants.require_reader(caller)
        found = [self._seen(app) for app in self._cloud.directory.applications.values()]
        return self._page(request, found, "applications")

    async def _application(self, request: Request, caller: Caller) -> Response:
        self._grants.require_reader(caller)
        app, query = self._objects.application(request), Query(request, self._errors)
        entity = query.selected(self._seen(app))
        if query.expands("owners"):
            entity["owners"] = self._owner_entities(app, caller)
        return _answer({"@odata.context": self._context("applications/$entity"), **entity})

    async def _owners(self, request: Request, caller: Caller) -> Response:
        self._grants.require_reader(caller)
        owners = self._owner_entities(self._objects.application(request), caller)
        return self._page(request, owners, "directoryObjects")

    async def _add_password(self, request: Request, caller: Caller) -> Response:
        app = self._objects.application(request)
        body = await self._objects.body(request, AddPassword)
        added = await self._passwords.add(caller, app, body)
        context = self._context("microsoft.graph.passwordCredential")
        return _answer({"@odata.context": context, **entities.password(added, reveal=True)})

    async def _remove_password(self, request: Request, caller: Caller) -> Response:
        app = self._objects.application(request)
        await self._passwords.remove(caller, app, await self._objects.body(request, RemovePassword))
        return Response(status_code=204)

    async def _service_principals(self, request: Request, caller: Caller) -> Response:
        self._grants.require_reader(caller)
        found = [graph_roles.seen(principal) for principal in self._objects.principals()]
        return self._page(request, found, "servicePrincipals")

    async def _service_principal(self, request: Request, caller: Caller) -> Response:
        self._grants.require_reader(caller)
        entity = graph_roles.seen(self._objects.principal(request))
        context = self._context("servicePrincipals/$entity")
        return _answer({"@odata.context": context, **Query(request, self._errors).selected(entity)})

    async def _owned_objects(self, request: Request, caller: Caller) -> Response:
        self._grants.require_reader(caller)
        owner, kind = self._objects.principal(request).object_id, "#microsoft.graph.application"
        owned = [app for app in self._cloud.directory.applications.values() if owner in app.owners]
        return self._page(request, [{"@odata.type": kind, **self._seen(app)} for app in owned], "directoryObjects")

    async def _policy(self, _request: Request, caller: Caller) -> Response:
        self._require(caller, _READ_POLICY)
        context = self._context("policies/defaultAppManagementPolicy/$entity")
        return _answer({"@odata.context": context, **self._passwords.policy.told()})

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


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(body, status, headers={"x-ms-resource-unit": "1"}, media_type=_JSON)
