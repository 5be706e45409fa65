"""Knows which Key Vault events a version has caused, which fall due, and what their payloads look like."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from local.azure.keyvault_state import Secret, Vault, Version

NEAR = timedelta(days=30)
"""How long before the end SecretNearExpiry is raised; secrets can't choose another time."""


class Kind(StrEnum):
    """The event types of secrets."""

    NEW_VERSION = "Microsoft.KeyVault.SecretNewVersionCreated"
    NEAR_EXPIRY = "Microsoft.KeyVault.SecretNearExpiry"
    EXPIRED = "Microsoft.KeyVault.SecretExpired"


class Schema(StrEnum):
    """The envelopes a subscription may ask for."""

    EVENT_GRID = "EventGridSchema"
    CLOUD_EVENTS = "CloudEventSchemaV1_0"


@dataclass(frozen=True)
class Subject:
    """The version that an event is about; `version` may be one that doesn't exist, when raised by hand."""

    vault: Vault
    secret: Secret
    version: Version

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells one version from all others."""
        return (self.vault.name, self.secret.name.lower(), self.version.id)


@dataclass(frozen=True)
class Event:
    """One event; every copy of it carries the same id."""

    kind: Kind
    subject: Subject
    at: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def data(self, origin: str) -> dict[str, Any]:
        """Return the event's data as the service's Swagger has it: NBF and EXP numbers, null where not set.

        It doesn't say whether the version is disabled.
        """
        subject = self.subject
        return {
            "Id": f"{origin}/secrets/{subject.secret.name}/{subject.version.id}",
            "VaultName": subject.vault.name,
            "ObjectType": "Secret",
            "ObjectName": subject.secret.name,
            "Version": subject.version.id,
            "NBF": subject.version.nbf,
            "EXP": subject.version.exp,
        }

    def envelope(self, schema: Schema, origin: str) -> dict[str, Any]:
        """Return the event as a subscription of that schema gets it."""
        moment = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        topic, name = self.subject.vault.arm_id, self.subject.secret.name
        if schema is Schema.CLOUD_EVENTS:
            return {
                "id": self.id,
                "source": topic,
                "subject": name,
                "type": str(self.kind),
                "time": moment,
                "data": self.data(origin),
                "specversion": "1.0",
            }
        return {
            "id": self.id,
            "topic": topic,
            "subject": name,
            "eventType": str(self.kind),
            "data": self.data(origin),
            "dataVersion": "1",
            "metadataVersion": "1",
            "eventTime": moment,
        }


@dataclass
class Raised:
    """What was raised, and which versions are watched: those stored since there is a subscription."""

    events: list[Event] = field(default_factory=list)
    _watched: dict[tuple[str, str, str], Subject] = field(default_factory=dict)
    _told: set[tuple[Kind, tuple[str, str, str]]] = field(default_factory=set)

    def stored(self, subject: Subject, now: datetime) -> list[Event]:
        """Watch a new version and return the events it causes at once."""
        self._watched[subject.key] = subject
        created = self._raise(Kind.NEW_VERSION, subject, now)
        return [created, *self._due_of(subject, now)]

    def due(self, now: datetime) -> list[Event]:
        """Return the events that have fallen due, each once per version, disabled versions included."""
        return [event for subject in self._watched.values() for event in self._due_of(subject, now)]

    def by_hand(self, kind: Kind, subject: Subject, now: datetime) -> Event:
        """Raise an event whatever was raised before."""
        return self._raise(kind, subject, now)

    def _due_of(self, subject: Subject, now: datetime) -> Iterator[Event]:
        if subject.version.exp is None:
            return
        ends = datetime.fromtimestamp(subject.version.exp, UTC)
        for kind, moment in ((Kind.NEAR_EXPIRY, ends - NEAR), (Kind.EXPIRED, ends)):
            if now >= moment and (kind, subject.key) not in self._told:
                yield self._raise(kind, subject, now)

    def _raise(self, kind: Kind, subject: Subject, now: datetime) -> Event:
        event = Event(kind, subject, now)
        self.events.append(event)
        self._told.add((kind, subject.key))
        return event
