"""Collects what a finished rotation is judged by: states, the services' answers, evidence, a search for leaks."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from azure.storage.blob import ContainerClient

from local.answer import Answer
from local.company import Company, Secret, Vault, Version
from local.kinds.ports import Credential
from local.leaks import Leak, scan, secrets_of, sinks
from local.onlooker import Onlooker
from local.scenario import Scenario
from local.stack import Stack
from rekey import names
from rekey.records import Record

_PAUSE = 0.2


@dataclass(frozen=True)
class Seen:
    """Everything the judgement rests on: states before the event and now, answers of the services, what was stored."""

    scenario: Scenario
    before: dict[str, Any]
    after: dict[str, Any]
    tried_new: Answer
    tried_old: Answer
    tried: Mapping[str, Answer]
    """What came of using each consumer's copy, by the consumer's URI."""
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

    def but(self, **changes: Any) -> "Seen":
        """Return what would have been seen with these changes."""
        return replace(self, **changes)


def look(stack: Stack, before: dict[str, Any], extra: Mapping[str, bytes]) -> Seen:
    """Collect what there is to see: old, new and copied credentials are tried at the services."""
    return replace(
        tried(Onlooker(stack), stack.scenario, before, stack.control.state()),
        after=stack.control.state(),
        records=_records(stack),
        leaks=tuple(scan({**sinks(stack), **extra}, secrets_of(stack))),
    )


def tried(onlooker: Onlooker, scenario: Scenario, before: dict[str, Any], after: dict[str, Any]) -> Seen:
    """Return what states and services tell of a managed secret; there are neither evidence nor leaks in it."""
    company, credential = Company.of(after), scenario.credential
    copies = {c.uri(): c.tried(onlooker, company, credential) for c in scenario.consumers}
    return Seen(
        scenario=scenario,
        before=before,
        after=after,
        tried_new=credential.tried(onlooker, company, current_version(scenario, after).value),
        tried_old=retired(onlooker, company, credential, current_version(scenario, before).value),
        tried={uri: answer for uri, answer in copies.items() if answer},
        records=(),
        leaks=(),
    )


def retired(onlooker: Onlooker, company: Company, credential: Credential, value: str) -> Answer:
    """Try a credential that was retired, until that has got around."""
    deadline = time.monotonic() + credential.spreads
    while (answer := credential.tried(onlooker, company, value)).ok and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return answer


def current_version(scenario: Scenario, state: dict[str, Any]) -> Version:
    """Return the managed secret's newest version in a state."""
    found: Secret = Company.of(state).keyvault.vaults[scenario.vault].secrets[scenario.secret]
    return found.versions[-1]


def _records(stack: Stack) -> tuple[Record, ...]:
    """Read the evidence out of Azurite, past the app."""
    container = ContainerClient.from_connection_string(stack.storage.connection_string, names.CONTAINER)
    with container:
        blobs = [blob.name for blob in container.list_blobs(name_starts_with=names.RECORDS)]
        records = [msgspec.json.decode(container.download_blob(name).readall(), type=Record) for name in blobs]
    return tuple(r for r in records if (r.vault, r.secret) == (stack.scenario.vault, stack.scenario.secret))
