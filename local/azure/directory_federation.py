"""Knows what a federated credential says, and which of them an application or a managed identity had at a moment."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

EXCHANGE = "api://AzureADTokenExchange"
"""The audience of assertions that Entra exchanges for tokens."""


@dataclass(frozen=True)
class FederatedCredential:
    """One federated credential; `created` is when it came to say this, `removed` when it ceased to."""

    name: str
    issuer: str
    subject: str
    created: datetime
    audience: str = EXCHANGE
    description: str | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    removed: datetime | None = None


@dataclass
class FederatedCredentials:
    """The federated credentials of one application or managed identity, those included that it has no more."""

    every: list[FederatedCredential] = field(default_factory=list)

    def live(self) -> list[FederatedCredential]:
        """Return those that it has now."""
        return [one for one in self.every if one.removed is None]

    def seen(self, at: datetime) -> list[FederatedCredential]:
        """Return them as a replica shows them that has heard of writes up to `at`."""
        return [one for one in self.every if one.created <= at and (one.removed is None or one.removed > at)]

    def add(self, credential: FederatedCredential) -> None:
        """Add one; whoever asks has checked that it fits."""
        self.every.append(credential)

    def remove(self, credential: FederatedCredential, at: datetime) -> None:
        """Take one away."""
        self.every[self.every.index(credential)] = replace(credential, removed=at)
