"""Knows the rules under which Microsoft Graph lists, makes, changes and deletes an application's federated credentials.

https://learn.microsoft.com/graph/api/resources/federatedidentitycredentials-overview. Unconfirmed and chosen: the words
in which a 21st one, or a value that doesn't fit, is refused.
"""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from local.azure.cloud import Cloud
from local.azure.directory import Application
from local.azure.directory_federation import FederatedCredential
from local.azure.graph_entities import Entity
from local.azure.graph_errors import GraphErrors
from local.azure.graph_grants import Grants, Operation
from local.azure.graph_objects import Objects
from local.azure.wire import Caller

MOST = 20
"""Federated credentials of one application."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_MAY_READ = frozenset({"Application.Read.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"})
_OF = "objectType: Microsoft.Online.DirectoryServices.Application"

type Text = Annotated[str, Meta(min_length=1, max_length=600)]


class NewCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that makes a federated credential."""

    name: str
    issuer: Text
    subject: Text
    audiences: Annotated[list[Text], Meta(min_length=1, max_length=1)]
    description: Annotated[str, Meta(max_length=600)] | None = None


class ChangedCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that changes one; what it leaves out stays, and a name is for good."""

    name: str | None = None
    issuer: Text | None = None
    subject: Text | None = None
    audiences: Annotated[list[Text], Meta(min_length=1, max_length=1)] | None = None
    description: Annotated[str, Meta(max_length=600)] | None = None


class FederatedCredentials:
    """The federated credentials of the applications in one directory."""

    def __init__(self, cloud: Cloud, errors: GraphErrors) -> None:
        self._cloud = cloud
        self._errors = errors
        self._objects = Objects(cloud.directory, errors)
        self._grants = Grants(cloud.directory, errors)

    def of_applications(self) -> list[tuple[str, str, Operation]]:
        """Return method, path below an application, and what answers; one is addressed by id or by name."""
        every, one = "federatedIdentityCredentials", "federatedIdentityCredentials/{credential}"
        return [
            ("GET", every, self._list),
            ("POST", every, self._create),
            ("GET", one, self._get),
            ("PATCH", one, self._change),
            ("DELETE", one, self._delete),
        ]

    async def _list(self, request: Request, caller: Caller) -> list[Entity]:
        self._require_reader(caller)
        return [_entity(one) for one in self._seen(self._objects.application(request))]

    async def _get(self, request: Request, caller: Caller) -> Entity:
        self._require_reader(caller)
        return _entity(self._addressed(request, self._seen(self._objects.application(request))))

    async def _create(self, request: Request, caller: Caller) -> Entity:
        app = self._objects.application(request)
        self._require_writer(caller, app)
        wanted = await self._objects.body(request, NewCredential)
        made = FederatedCredential(
            wanted.name,
            wanted.issuer,
            wanted.subject,
            self._cloud.clock.now(),
            wanted.audiences[0],
            wanted.description,
        )
        self._check_name(made, app)
        self._check_pair(made, app)
        app.federated.add(made)
        return _entity(made)

    async def _change(self, request: Request, caller: Caller) -> Response:
        app = self._objects.application(request)
        self._require_writer(caller, app)
        found = self._addressed(request, app.federated.live())
        wanted = await self._objects.body(request, ChangedCredential)
        if wanted.name not in (None, found.name):
            raise self._invalid("The name of a federated identity credential can't be changed.", "Name", wanted.name)
        now = self._cloud.clock.now()
        changed = replace(
            found,
            issuer=wanted.issuer or found.issuer,
            subject=wanted.subject or found.subject,
            audience=wanted.audiences[0] if wanted.audiences else found.audience,
            description=found.description if wanted.description is None else wanted.description,
            created=now,
        )
        self._check_pair(changed, app)
        app.federated.remove(found, now)
        app.federated.add(changed)
        return Response(status_code=204)

    async def _delete(self, request: Request, caller: Caller) -> Response:
        app = self._objects.application(request)
        self._require_writer(caller, app)
        app.federated.remove(self._addressed(request, app.federated.live()), self._cloud.clock.now())
        return Response(status_code=204)

    def _seen(self, app: Application) -> list[FederatedCredential]:
        lag = timedelta(seconds=self._cloud.switches.graph.seconds)
        return app.federated.seen(self._cloud.clock.now() - lag)

    def _addressed(self, request: Request, known: list[FederatedCredential]) -> FederatedCredential:
        wanted = request.path_params["credential"]
        for one in known:
            if wanted in (one.id, one.name):
                return one
        raise self._errors.missing(wanted)

    def _require_reader(self, caller: Caller) -> None:
        person = self._cloud.directory.user(caller.object_id)
        if person is None and caller.app_roles.isdisjoint(_MAY_READ):
            raise self._errors.denied()

    def _require_writer(self, caller: Caller, app: Application) -> None:
        owns = "Application.ReadWrite.OwnedBy" in caller.app_roles and caller.object_id in app.owners
        if not owns:
            self._grants.require_owner(caller, app)

    def _check_name(self, wanted: FederatedCredential, app: Application) -> None:
        if not _NAME.fullmatch(wanted.name):
            message = (
                "The name must have 3 to 120 characters: letters, digits, dashes, underscores; first a letter or digit."
            )
            raise self._invalid(message, "Name", wanted.name)
        if any(one.name == wanted.name for one in app.federated.live()):
            raise self._errors.same_name(f"FederatedIdentityCredential with name {wanted.name} already exists.")
        if len(app.federated.live()) >= MOST:
            message = f"The application can have at most {MOST} federated identity credentials."
            raise self._errors.bad(message, "Directory_ResourceSizeExceeded")

    def _check_pair(self, wanted: FederatedCredential, app: Application) -> None:
        for one in app.federated.live():
            if one.id != wanted.id and (one.issuer, one.subject) == (wanted.issuer, wanted.subject):
                message = (
                    "The combination of issuer and subject must be unique for the application. "
                    f"Issuer {wanted.issuer} and Subject: {wanted.subject} already exist."
                )
                raise self._invalid(message, "Subject", wanted.subject)

    def _invalid(self, message: str, parameter: str, value: str | None) -> Exception:
        where = f"paramName: FederatedIdentityCredential.{parameter}, paramValue: {value}, {_OF}"
        return self._errors.bad(f"{message} {where}", "InvalidFederatedIdentityCredentialValue")


def _entity(credential: FederatedCredential) -> Entity:
    return {
        "id": credential.id,
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "description": credential.description,
        "audiences": [credential.audience],
    }
