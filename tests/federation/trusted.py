"""Knows how tests of the Entra and Azure side of a federation get a walk for a connection of the simulated company."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local.azure.azuredevops_state import Endpoint
from local.azure.directory_federation import FederatedCredential
from rekey.federation.identifying import identify
from rekey.federation.records import FederationRecord
from rekey.federation.trusting import trust
from rekey.model.federation import Federation, Mode, New, Old
from tests.connections.auditing import READER
from tests.core.company import Company

WIF = "WorkloadIdentityFederation"
ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
SUBSCRIPTION = "/subscriptions/22222222-2222-4222-8222-222222222222"


@dataclass
class Trusted:
    """A company, and walks for its connections."""

    company: Company

    async def connection(self, name: str = "", **endpoint: Any) -> Endpoint:
        """Give the company's project a federated connection, of its application unless it says otherwise."""
        scenario, name = self.company.scenario, name or f"c-{uuid4().hex[:8]}"
        whose = {} if {"identity", "client_id"} & endpoint.keys() else {"application": scenario.application}
        member = {"projects": {scenario.project: READER}}
        project = {"endpoints": {name: {"scheme": WIF, **whose, **endpoint}}}
        body = {"members": {"rekey": member}, "projects": {scenario.project: project}}
        await self.company.azure.seed({"organizations": {scenario.organization: body}})
        return self.endpoint(name)

    def endpoint(self, name: str) -> Endpoint:
        """Return a connection as Azure DevOps keeps it."""
        organization = self.company.azure.cloud.azuredevops.organizations[self.company.scenario.organization]
        (project,) = organization.projects.values()
        return next(one for one in project.endpoints.values() if one.document["name"] == name)

    def walk(self, endpoint: Endpoint, mode: Mode = Mode.REPAIR, **changes: Any) -> Federation:
        """Return a walk that has read this connection."""
        scenario, found = self.company.scenario, endpoint.parameters
        name = endpoint.document["name"]
        walk = Federation(
            id=str(uuid4()),
            instance="federate.test",
            mode=mode,
            organization=scenario.organization,
            project=scenario.project,
            started=datetime.now(UTC),
            connection=name,
            old=Old(
                id=endpoint.document["id"],
                name=name,
                owner_project=endpoint.project_ids[0],
                application=found["serviceprincipalid"],
                tenant=found["tenantid"],
                way="federated",
                issuer=found.get(ISSUER, ""),
                subject=found.get(SUBJECT, ""),
            ),
        )
        return walk.but(**changes)

    async def identified(self, endpoint: Endpoint, mode: Mode = Mode.REPAIR, **changes: Any) -> Federation:
        """Return a walk that knows whom the connection signs in as."""
        walk = self.walk(endpoint, mode, **changes)
        return walk.but(signs_in_as=await identify(self.company.clients, walk))

    async def recorded(self, walk: Federation) -> Federation:
        """Open the record of a walk."""
        record = FederationRecord(federation=walk, deployment="local", opened=walk.started)
        await self.company.desk.federations().open(record)
        return walk

    async def trusted(self, walk: Federation) -> Federation:
        """Return the walk with what its connection presents trusted."""
        return walk.but(trust=await trust(self.company.clients, walk))

    def credentials(self) -> list[FederatedCredential]:
        """Return the federated credentials of the company's application."""
        return self.company.application.federated.live()

    def fill(self, count: int, subject: str = "repo:contoso/shop:ref:{0}") -> None:
        """Give the application that many federated credentials of other workloads."""
        for number in range(count):
            issuer = "https://token.actions.githubusercontent.com"
            made = FederatedCredential(
                f"other-{number}", issuer, subject.format(number), self.company.azure.cloud.clock.now()
            )
            self.company.application.federated.add(made)


def converted(endpoint: Endpoint) -> New:
    """Return a connection as it is after its conversion."""
    found = endpoint.parameters
    return New(id=endpoint.document["id"], name=endpoint.document["name"], issuer=found[ISSUER], subject=found[SUBJECT])
