"""Knows what `GET /_sim/state` looks like: the simulated services' own state, as far as somebody judges it."""

from datetime import datetime
from typing import Any

import msgspec

from local.company_arm import ResourceManager


class Password(msgspec.Struct, frozen=True):
    """A password of an application, removed ones included."""

    key_id: str
    display_name: str | None
    start: datetime
    end: datetime
    removed: datetime | None
    value: str


class FederatedCredential(msgspec.Struct, frozen=True):
    """What an application trusts in place of a password."""

    issuer: str
    subject: str


class Application(msgspec.Struct, frozen=True):
    """An application registration; passwords in the order in which they were made, federated credentials by name."""

    client_id: str
    passwords: tuple[Password, ...]
    federated_credentials: dict[str, FederatedCredential] = {}

    def live(self) -> list[Password]:
        """Return the passwords that were not removed."""
        return [password for password in self.passwords if password.removed is None]


class Version(msgspec.Struct, frozen=True):
    """A secret's version; `exp` in unix seconds."""

    id: str
    value: str
    enabled: bool
    exp: int | None
    tags: dict[str, str]


class Secret(msgspec.Struct, frozen=True):
    """A secret with its versions, oldest first."""

    phase: str
    versions: tuple[Version, ...]


class Vault(msgspec.Struct, frozen=True):
    """A vault; `deleted` has what is not readable now, `purged` the names that are gone for good."""

    secrets: dict[str, Secret]
    deleted: dict[str, Any]
    purged: tuple[str, ...]


class Endpoint(msgspec.Struct, frozen=True):
    """A service connection: `document` as Azure DevOps shows it, and the secrets that it never shows."""

    id: str
    secrets: dict[str, str]
    document: dict[str, Any] = {}

    @property
    def key(self) -> str:
        """The stored service principal key; empty if there is none."""
        return self.secrets.get("serviceprincipalkey", "")


class Mail(msgspec.Struct, frozen=True):
    """A mail that was accepted; `duplicates` counts sends of the same operation after it."""

    at: datetime
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    duplicates: int
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()

    def kind(self) -> str:
        """Return which notice it is, as its subject says."""
        return self.subject.removeprefix("[Rekey] ").partition(":")[0]

    def recipients(self) -> list[str]:
        """Return everybody who gets it."""
        return [*self.to, *self.cc, *self.bcc]


class Event(msgspec.Struct, frozen=True):
    """An event of Key Vault."""

    id: str
    type: str
    vault: str
    secret: str
    version: str


class Delivery(msgspec.Struct, frozen=True):
    """One copy of an event on its way into the queue."""

    event: str
    status: str


class _Entra(msgspec.Struct, frozen=True):
    tenant: str
    applications: dict[str, Application]


class _Vaults(msgspec.Struct, frozen=True):
    vaults: dict[str, Vault]


class VariableGroup(msgspec.Struct, frozen=True):
    """A variable group with the secret values that Azure DevOps never shows, by variable."""

    secrets: dict[str, str]


class Run(msgspec.Struct, frozen=True):
    """A run of a pipeline; `result` is how it ends."""

    id: int
    result: str


class Pipeline(msgspec.Struct, frozen=True):
    """A pipeline with its runs, oldest first."""

    runs: tuple[Run, ...]
    id: int = 0


class Project(msgspec.Struct, frozen=True):
    """A project of Azure DevOps, with what it has by name."""

    endpoints: dict[str, Endpoint]
    variable_groups: dict[str, VariableGroup] = {}
    pipelines: dict[str, Pipeline] = {}


class _Organization(msgspec.Struct, frozen=True):
    projects: dict[str, Project]


class _AzureDevOps(msgspec.Struct, frozen=True):
    organizations: dict[str, _Organization]


class _Email(msgspec.Struct, frozen=True):
    outbox: tuple[Mail, ...]


class _EventGrid(msgspec.Struct, frozen=True):
    events: tuple[Event, ...]
    deliveries: tuple[Delivery, ...]


class Company(msgspec.Struct, frozen=True):
    """The whole simulated company at one moment. A name that isn't there is a KeyError."""

    entra: _Entra
    keyvault: _Vaults
    azuredevops: _AzureDevOps
    email: _Email
    eventgrid: _EventGrid
    arm: ResourceManager = ResourceManager()

    @classmethod
    def of(cls, state: dict[str, Any]) -> "Company":
        """Return the company that a state describes; what nobody judges is left out."""
        return msgspec.convert(state, cls)

    def endpoint(self, organization: str, project: str, name: str) -> Endpoint:
        """Return a service connection."""
        return self.project(organization, project).endpoints[name]

    def project(self, organization: str, name: str) -> Project:
        """Return a project of Azure DevOps."""
        return self.azuredevops.organizations[organization].projects[name]

    def copies(self, kind: str, version: str) -> list[Delivery]:
        """Return the deliveries of the events of that type about that version."""
        ids = {e.id for e in self.eventgrid.events if e.type.endswith(kind) and e.version == version}
        return [delivery for delivery in self.eventgrid.deliveries if delivery.event in ids]

    def secret_values(self) -> set[str]:
        """Return every secret value that any of the services holds, passwords that were removed included."""
        passwords = {p.value for a in self.entra.applications.values() for p in a.passwords}
        versions = {
            v.value for vault in self.keyvault.vaults.values() for s in vault.secrets.values() for v in s.versions
        }
        projects = [p for o in self.azuredevops.organizations.values() for p in o.projects.values()]
        kept = [e.secrets for p in projects for e in p.endpoints.values()]
        kept += [g.secrets for p in projects for g in p.variable_groups.values()]
        keys = {value for secrets in kept for value in secrets.values()}
        return {value for value in passwords | versions | keys | self.arm.secret_values() if value}
