"""Collects what a finished rotation is judged by: states, the services' answers, evidence, a search for leaks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from azure.storage.blob import ContainerClient

from local.company import Application, Company, Endpoint, Password, Secret, Vault, Version
from local.leaks import Leak, scan, secrets_of, sinks
from local.onlooker import Answer, Onlooker
from local.scenario import Scenario
from local.stack import Stack
from rekey import names
from rekey.records import Record


@dataclass(frozen=True)
class Seen:
    """Everything the judgement rests on: states before the event and now, answers of the services, what was stored."""

    scenario: Scenario
    before: dict[str, Any]
    after: dict[str, Any]
    sign_in_new: Answer
    sign_in_old: Answer
    test_connection: Answer
    records: tuple[Record, ...]
    leaks: tuple[Leak, ...]

    @property
    def company(self) -> Company:
        """The company as it is now."""
        return Company.of(self.after)

    @property
    def vault(self) -> Vault:
        """The vault of the managed secret."""
        return self.company.keyvault.vaults[self.scenario.vault]

    @property
    def versions(self) -> tuple[Version, ...]:
        """The managed secret's versions, oldest first."""
        return self.vault.secrets[self.scenario.secret].versions

    @property
    def new(self) -> Version:
        """The version that readers get."""
        return self.versions[-1]

    @property
    def old(self) -> Version:
        """The version that was current before the event."""
        return current_version(self.scenario, self.before)

    @property
    def application(self) -> Application:
        """The application whose password is rotated."""
        return self.company.entra.applications[self.scenario.application]

    @property
    def endpoint(self) -> Endpoint:
        """The service connection that holds a copy."""
        return _endpoint(self.scenario, self.company)

    def published(self) -> Password | None:
        """Return the application's password that the newest version holds, if it is there and not removed."""
        return next((p for p in self.application.live() if p.value == self.new.value), None)

    def but(self, **changes: Any) -> "Seen":
        """Return what would have been seen with these changes."""
        return replace(self, **changes)


def look(stack: Stack, before: dict[str, Any], extra: Mapping[str, bytes]) -> Seen:
    """Collect what there is to see: it takes sign-ins at Entra and a test by Azure DevOps."""
    scenario, onlooker = stack.scenario, Onlooker(stack)
    company = Company.of(stack.control.state())
    new = company.keyvault.vaults[scenario.vault].secrets[scenario.secret].versions[-1].value
    old = current_version(scenario, before).value
    endpoint = _endpoint(scenario, company).id
    return Seen(
        scenario=scenario,
        before=before,
        sign_in_new=onlooker.sign_in(stack.client_id, new),
        sign_in_old=onlooker.sign_in(stack.client_id, old),
        test_connection=onlooker.test_connection(scenario.organization, scenario.project, endpoint),
        after=stack.control.state(),
        records=_records(stack),
        leaks=tuple(scan({**sinks(stack), **extra}, secrets_of(stack))),
    )


def current_version(scenario: Scenario, state: dict[str, Any]) -> Version:
    """Return the managed secret's newest version in a state."""
    found: Secret = Company.of(state).keyvault.vaults[scenario.vault].secrets[scenario.secret]
    return found.versions[-1]


def _endpoint(scenario: Scenario, company: Company) -> Endpoint:
    return company.endpoint(scenario.organization, scenario.project, scenario.connection)


def _records(stack: Stack) -> tuple[Record, ...]:
    """Read the evidence out of Azurite, past the app."""
    container = ContainerClient.from_connection_string(stack.storage.connection_string, names.CONTAINER)
    with container:
        blobs = [blob.name for blob in container.list_blobs(name_starts_with=names.RECORDS)]
        records = [msgspec.json.decode(container.download_blob(name).readall(), type=Record) for name in blobs]
    return tuple(r for r in records if (r.vault, r.secret) == (stack.scenario.vault, stack.scenario.secret))
