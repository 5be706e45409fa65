"""Knows how applications are registered in Microsoft Graph: created, changed, and given a service principal."""

import uuid
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from local.azure import graph_roles
from local.azure.clock import Clock
from local.azure.directory import Application, Directory, Principal, new_id
from local.azure.graph_entities import Entity, application
from local.azure.graph_errors import GraphErrors, error
from local.azure.graph_grants import Grants, Operation
from local.azure.graph_objects import Objects
from local.azure.wire import Caller

_MAY_REGISTER = frozenset({"Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"})


class Scope(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A delegated permission that an application offers."""

    id: uuid.UUID
    value: str
    type: Literal["User", "Admin"]
    is_enabled: bool
    admin_consent_display_name: str
    admin_consent_description: str


class PreAuthorized(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A client that needs nobody's consent for these scopes."""

    app_id: uuid.UUID
    delegated_permission_ids: list[uuid.UUID]


class Api(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What an application is as a web API; what a change leaves out stays."""

    requested_access_token_version: Literal[1, 2] | None = None
    oauth2_permission_scopes: list[Scope] | None = None
    pre_authorized_applications: list[PreAuthorized] | None = None


class Registration(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body that makes an application, or changes one."""

    display_name: str = ""
    sign_in_audience: str = "AzureADMyOrg"
    tags: list[str] | None = None
    identifier_uris: list[str] | None = None
    api: Api = Api()


class NewPrincipal(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body that makes a service principal."""

    app_id: uuid.UUID


class Registrations:
    """The applications of one directory, as they are made and changed."""

    def __init__(self, directory: Directory, errors: GraphErrors, clock: Clock) -> None:
        self._directory, self._errors, self._clock = directory, errors, clock
        self._objects = Objects(directory, errors)
        self._grants = Grants(directory, errors)

    def operations(self) -> list[tuple[str, str, Operation]]:
        """Return method, path, and what answers."""
        return [
            ("POST", "/v1.0/applications", self._create),
            ("PATCH", "/v1.0/applications/{id}", self._change),
            ("PATCH", "/v1.0/applications(appId='{app_id}')", self._change),
            ("DELETE", "/v1.0/applications/{id}", self._delete),
            ("DELETE", "/v1.0/applications(appId='{app_id}')", self._delete),
            ("POST", "/v1.0/servicePrincipals", self._create_principal),
        ]

    async def _create(self, request: Request, caller: Caller) -> Entity:
        """Register an application: any member of the directory may, and owns it then."""
        person = self._directory.user(caller.object_id)
        if person is None and caller.app_roles.isdisjoint(_MAY_REGISTER):
            raise self._errors.denied()
        wanted = await self._objects.body(request, Registration)
        if not wanted.display_name:
            raise self._errors.bad("A value is required for property 'displayName' of resource 'Application'.")
        made = Application(wanted.display_name, self._clock.now(), wanted.sign_in_audience, service_principal=None)
        self._apply(made, wanted)
        made.owners.append(caller.object_id)
        known = self._directory.applications
        known[made.name if made.name not in known else f"{made.name} {made.app_id}"] = made
        return application(made, [])

    async def _change(self, request: Request, caller: Caller) -> Response:
        app, wanted = self._objects.application(request), await self._objects.body(request, Registration)
        self._grants.require_owner(caller, app)
        self._apply(app, wanted)
        return Response(status_code=204)

    async def _delete(self, request: Request, caller: Caller) -> Response:
        app = self._objects.application(request)
        self._grants.require_owner(caller, app)
        kept = {name: one for name, one in self._directory.applications.items() if one is not app}
        self._directory.applications = kept
        return Response(status_code=204)

    async def _create_principal(self, request: Request, caller: Caller) -> Entity:
        wanted = str((await self._objects.body(request, NewPrincipal)).app_id)
        app = self._directory.by_app_id(wanted)
        if app is None:
            invalid = f"The appId '{wanted}' of the service principal does not reference a valid application object."
            raise self._errors.bad(invalid)
        self._grants.require_owner(caller, app)
        if app.service_principal:
            used = f"because the service principal name {wanted} is already in use."
            message = f"The service principal cannot be created, updated, or restored {used}"
            raise error(self._clock, 409, "Request_MultipleObjectsWithSameKeyValue", message)
        app.service_principal = new_id()
        return graph_roles.seen(Principal(app.service_principal, app.app_id, app.name, "Application", app.app_roles))

    def _apply(self, app: Application, wanted: Registration) -> None:
        for uri in wanted.identifier_uris or ():
            if uri != f"api://{app.app_id}":
                must = "must use a verified domain of the organization or its subdomain"
                message = f"Values of identifierUris property {must}: '{uri}'"
                raise self._errors.bad(message, "HostNameNotOnVerifiedDomain")
        offered = {scope["id"] for scope in app.api.get("oauth2PermissionScopes", [])}
        for client in wanted.api.pre_authorized_applications or ():
            if unknown := {str(scope) for scope in client.delegated_permission_ids} - offered:
                raise self._errors.bad(f"Property api.preAuthorizedApplications has unknown scopes: {sorted(unknown)}.")
        app.api |= msgspec.to_builtins(wanted.api)
        app.identifier_uris = app.identifier_uris if wanted.identifier_uris is None else wanted.identifier_uris
        app.tags = app.tags if wanted.tags is None else wanted.tags
