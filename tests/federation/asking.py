"""Knows how tests of the Azure DevOps side of a federation ask for a walk, and seed what it meets."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec

from local.azure.azuredevops_state import Endpoint, Organization
from rekey.clients import Clients
from rekey.federation.reading import read
from rekey.federation_settings import Federating
from rekey.model.federation import Federation, FederationQuestion, FederationReading, Identity, Mode
from rekey.model.federation_request import FederationRequest
from rekey.settings import Scope
from tests.core.company import Company

EVERY_MODE = (Mode.REPAIR, Mode.IN_PLACE, Mode.SIDE_BY_SIDE, Mode.VEND)
ADMINISTRATOR = ["administer", "view-builds"]
FEDERATED = "WorkloadIdentityFederation"


@dataclass
class Asking:
    """A company, its app with what it may do, and what is asked of it."""

    company: Company
    clients: Clients

    @classmethod
    def of(cls, company: Company, *modes: Mode, **settings: Any) -> "Asking":
        """Return the company's app, which may do these modes, or all."""
        federating = Federating(modes=modes or EVERY_MODE)
        changed = msgspec.structs.replace(company.settings, federating=federating, **settings)
        company.clients.settings = changed
        return cls(company, company.clients)

    @property
    def organization(self) -> Organization:
        """The company's organization, as Azure DevOps keeps it."""
        return self.company.azure.cloud.azuredevops.organizations[self.company.scenario.organization]

    def endpoint(self, name: str = "") -> Endpoint:
        """Return a connection as Azure DevOps keeps it, the company's own by default."""
        wanted = name or self.company.scenario.connection
        every = (one for project in self.organization.projects.values() for one in project.endpoints.values())
        return next(one for one in every if one.document["name"] == wanted)

    async def seed(self, *, rights: list[str] | None = None, **body: Any) -> None:
        """Give the company's project what `body` says, and the app's identity rights there."""
        scenario = self.company.scenario
        member = {"projects": {scenario.project: ADMINISTRATOR if rights is None else rights}}
        seeded = {"members": {"rekey": member}, "projects": {scenario.project: body}}
        await self.company.azure.seed({"organizations": {scenario.organization: seeded}})

    async def connection(self, name: str, **body: Any) -> Endpoint:
        """Give the company's project one more connection, of its application unless `body` says otherwise."""
        nameless = body.get("scheme") in {"ManagedServiceIdentity", "PublishProfile"} or "identity" in body
        whose = {} if nameless else {"application": self.company.scenario.application}
        await self.seed(endpoints={name: {**whose, **body}})
        return self.endpoint(name)

    def question(self, connection: str = "", mode: Mode = Mode.IN_PLACE, **fields: Any) -> FederationQuestion:
        """Return what is asked for."""
        scenario = self.company.scenario
        asked = {
            "organization": scenario.organization,
            "project": scenario.project,
            "connection": connection or scenario.connection,
            "mode": mode,
            **fields,
        }
        request = FederationRequest(**asked)
        return FederationQuestion(request=request, id=str(uuid4()), instance="federate.test", started=datetime.now(UTC))

    async def read(self, connection: str = "", mode: Mode = Mode.IN_PLACE, **fields: Any) -> FederationReading:
        """Have it read."""
        return await read(self.clients, self.question(connection, mode, **fields))

    async def walk(self, connection: str = "", mode: Mode = Mode.IN_PLACE, **fields: Any) -> Federation:
        """Return the walk that it becomes; its connection signs in as the same application."""
        (found,) = (await self.read(connection, mode, **fields)).federations
        assert found.old
        return found.but(signs_in_as=Identity(client_id=found.old.application))

    def bind(self, **changes: Any) -> None:
        """Change what the app's one scope binds together."""
        (scope,) = self.clients.settings.scopes
        scopes = (msgspec.convert({**msgspec.to_builtins(scope), **changes}, Scope),)
        self.clients.settings = msgspec.structs.replace(self.clients.settings, scopes=scopes)
