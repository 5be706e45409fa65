"""Knows how tests of the Entra and Azure side of a federation get a walk for a connection of the simulated company."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from activities import step
from local.azure.azuredevops_state import Endpoint
from local.azure.directory_federation import FederatedCredential
from rekey.clients import Clients
from rekey.federation.identifying import identify
from rekey.federation.records import FederationRecord
from rekey.federation.trusting import trust
from rekey.model import encode
from rekey.model.federation import Federation, New, Old
from rekey.model.federation_request import Mode
from rekey.settings import read as read_settings
from tests.connections.auditing import READER as MEMBER
from tests.core import company as companies
from tests.core.company import Company

WIF = "WorkloadIdentityFederation"
ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111"
SHOP, IDENTITIES = f"{SUBSCRIPTION}/resourceGroups/shop", f"{SUBSCRIPTION}/resourceGroups/identities"
READER, CONTRIBUTOR = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "b24988ac-6180-42a0-ab88-20f7382dd24c"


@dataclass
class Trusted:
    """A company, and walks for its connections."""

    company: Company

    async def connection(self, name: str = "", **endpoint: Any) -> Endpoint:
        """Give the company's project a federated connection, of its application unless it says otherwise."""
        scenario, name = self.company.scenario, name or f"c-{uuid4().hex[:8]}"
        whose = {} if {"identity", "client_id"} & endpoint.keys() else {"application": scenario.application}
        member = {"projects": {scenario.project: MEMBER}}
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

    def vended(self, **changes: Any) -> Federation:
        """Return a walk for a connection that is to be vended."""
        scenario = self.company.scenario
        walk = Federation(
            id=str(uuid4()),
            instance="federate.test",
            mode=Mode.VEND,
            organization=scenario.organization,
            project=scenario.project,
            started=datetime.now(UTC),
            new_name="sc-shop-prod",
            scope=SHOP,
            role="Contributor",
        )
        return walk.but(**changes)

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


@contextlib.asynccontextmanager
async def recording(folder: Path, monkeypatch: pytest.MonkeyPatch, storage: str, **more: str) -> AsyncIterator[Trusted]:
    """Run a company with a storage account, whose steps run as the frame runs them; `more` are settings."""
    async with companies.company(folder, monkeypatch, storage=storage) as running:
        scopes = json.loads(running.environ["REKEY_SCOPES"])
        scopes[0]["resources"] = [*scopes[0].get("resources", ()), SHOP, IDENTITIES]
        settings = read_settings({**running.environ, "REKEY_SCOPES": json.dumps(scopes), **more})
        await running.clients.aclose()
        running.clients = Clients(settings)
        monkeypatch.setattr(step, "clients", lambda: running.clients)
        await running.clients.storage_ready()
        await running.azure.seed(
            {
                "role_assignments": [
                    {"identity": "rekey", "role": "Managed Identity Contributor", "scope": IDENTITIES},
                    {"identity": "rekey", "role": "Role Based Access Control Administrator", "scope": SHOP},
                ]
            }
        )
        yield Trusted(running)


def vends(**changes: Any) -> dict[str, str]:
    """Return the settings of an app that vends."""
    found = {"roles": [CONTRIBUTOR, READER], "scopes": [SHOP], "identities": IDENTITIES, "location": "westeurope"}
    return {"REKEY_DUTY": "vending", "REKEY_VENDING": json.dumps(found | changes)}


def given(walk: Federation) -> dict[str, Any]:
    """Return a walk as a step is given it."""
    encoded: dict[str, Any] = encode(walk)
    return encoded
