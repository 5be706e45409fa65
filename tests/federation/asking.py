"""Knows how tests of the Azure DevOps side of a federation ask for a walk, and seed what it meets."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from local.azure.azuredevops_guards_state import Grant, Permitted
from local.azure.azuredevops_pipelines_state import Run
from local.azure.azuredevops_state import Endpoint, Execution
from local.azure.azuredevops_state import Organization as Kept
from local.azure.directory_federation import FederatedCredential
from rekey.clients import Clients
from rekey.federation.organization import Organization
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
    def organization(self) -> Kept:
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

    async def behave(self, **how: str) -> None:
        """Let the organization convert connections otherwise."""
        await self.company.azure.seed({"organizations": {self.company.scenario.organization: how}})

    async def signs_in(self, name: str = "") -> tuple[bool, str]:
        """Let Azure DevOps sign in through a connection."""
        scenario = self.company.scenario
        endpoints = Organization(self.clients, scenario.organization).endpoints
        return await endpoints.test_connection(scenario.project, self.endpoint(name).id)

    def document(self, name: str = "") -> dict[str, Any]:
        """Return all of a connection that isn't secret, as it is now."""
        return deepcopy(self.endpoint(name).document)

    def trust(self, issuer: str, subject: str) -> None:
        """Give the company's application a federated credential."""
        now = self.now()
        self.company.application.federated.add(FederatedCredential(f"c-{uuid4().hex[:8]}", issuer, subject, now))

    def runs_now(self, name: str = "", *, seconds: float = 9000.0) -> None:
        """Let a run go through a connection that began a minute ago."""
        now = self.now()
        begun = now - timedelta(minutes=1)
        run = Execution("nightly", begun, begun + timedelta(seconds=seconds), "succeeded")
        self.endpoint(name).executions += (run,)

    async def asked(self, method: str) -> list[str]:
        """Return the queries of the requests of that method that Azure DevOps got about the organization."""
        answer = await self.company.azure.call("GET", f"{self.company.azure.control}/_sim/requests")
        ours = f"/{self.company.scenario.organization}/"
        return [r["query"] for r in answer.body["requests"] if r["method"] == method and r["path"].startswith(ours)]

    def now(self) -> datetime:
        """Return the simulated time."""
        return self.company.azure.cloud.clock.now()

    def connections(self) -> set[str]:
        """Return the names of all connections there are."""
        every = (one for project in self.organization.projects.values() for one in project.endpoints.values())
        return {one.document["name"] for one in every}

    def permitted(self, name: str, project: str = "") -> tuple[bool, set[str]]:
        """Return whether all pipelines of a project may use a connection, and which may by name."""
        owner = self.organization.existing(project or self.company.scenario.project)
        found = self.endpoint(name).permitted.get(owner.id, Permitted())
        return found.everyone is not None, {owner.pipelines[number].name for number in found.pipelines}

    def guards(self, name: str) -> list[Any]:
        """Return what the checks of a connection do."""
        every = (one for project in self.organization.projects.values() for one in project.checks.values())
        mine = [one.document for one in every if one.endpoint == self.endpoint(name).id]
        return [[one[field] for field in ("type", "settings", "timeout", "isDisabled")] for one in mine]

    def spoil_checks(self) -> None:
        """Let every check be of a type that can't be made any more."""
        for project in self.organization.projects.values():
            for one in project.checks.values():
                one.document["type"] = {"id": str(uuid4()), "name": "Retired"}

    def open_to_all(self, name: str) -> None:
        """Let all pipelines use a connection, as an organization may have it for new ones."""
        endpoint = self.endpoint(name)
        endpoint.permitted[endpoint.project_ids[0]] = Permitted(Grant({}, self.now()))

    def delete(self, name: str) -> None:
        """Delete a connection, as somebody does in the portal."""
        endpoint = self.endpoint(name)
        self.organization.remove(endpoint, endpoint.project_ids)

    def delete_pipeline(self, name: str) -> None:
        """Delete a pipeline."""
        for project in self.organization.projects.values():
            project.pipelines = {k: one for k, one in project.pipelines.items() if one.name != name}

    def permit(self, *pipelines: str, name: str = "", project: str = "") -> None:
        """Permit these pipelines to use a connection, and no others of that project."""
        owner = self.organization.existing(project or self.company.scenario.project)
        grant = Grant({}, self.now())
        numbers = [one.id for one in owner.pipelines.values() if one.name in pipelines]
        self.endpoint(name).permitted[owner.id] = Permitted(None, dict.fromkeys(numbers, grant))

    def run(self, pipeline: str) -> None:
        """Let a pipeline have run just now."""
        (owner,) = [
            p for p in self.organization.projects.values() if pipeline in {o.name for o in p.pipelines.values()}
        ]
        (one,) = [one for one in owner.pipelines.values() if one.name == pipeline]
        now = self.now()
        one.runs[1] = Run(1, "1", "refs/heads/main", now, 0.0, "succeeded", "somebody")

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
