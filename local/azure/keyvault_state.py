"""Knows what the simulated vaults hold, and in which phase of its life each operation on a secret is refused.

Deleting, recovering and purging take a moment in Key Vault: each is a phase of its own that refuses most
operations, and ends by the machine's clock (a moved simulated clock doesn't hurry them).
"""

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

MAX_VALUE_BYTES = 25_600
MAX_TAGS = 15
MAX_TAG_LENGTH = 256
MAX_CONTENT_TYPE = 255
_NAME = re.compile("[0-9a-zA-Z-]{1,127}")


def valid_name(name: str) -> bool:
    """Tell whether a secret may be called so."""
    return _NAME.fullmatch(name) is not None


class Phase(StrEnum):
    """Where a secret stands between its first version and its purge."""

    ACTIVE = "active"
    DELETING = "deleting"
    DELETED = "deleted"
    RECOVERING = "recovering"
    PURGING = "purging"


_NEXT = {Phase.DELETING: Phase.DELETED, Phase.RECOVERING: Phase.ACTIVE}
"""What a phase that takes a moment turns into; purging ends in nothing."""


class Refusal(StrEnum):
    """Why an operation is refused: `innererror.code`, or the code itself of a 404."""

    NOT_FOUND = "SecretNotFound"
    DELETED_NOT_FOUND = "DeletedSecretNotFound"
    BEING_DELETED = "ObjectIsBeingDeleted"
    BEING_RECOVERED = "ObjectIsBeingRecovered"
    RECOVERABLE = "ObjectIsDeletedButRecoverable"
    DISABLED = "SecretDisabled"
    PURGE_PROTECTED = "PurgeProtected"


REFUSED: dict[str, dict[Phase, Refusal]] = {
    "read": dict.fromkeys((Phase.DELETING, Phase.DELETED, Phase.RECOVERING, Phase.PURGING), Refusal.NOT_FOUND),
    "write": {
        Phase.DELETING: Refusal.BEING_DELETED,
        Phase.DELETED: Refusal.RECOVERABLE,
        Phase.RECOVERING: Refusal.BEING_RECOVERED,
        Phase.PURGING: Refusal.BEING_DELETED,
    },
    "delete": {
        Phase.DELETING: Refusal.BEING_DELETED,
        Phase.DELETED: Refusal.NOT_FOUND,
        Phase.RECOVERING: Refusal.BEING_RECOVERED,
        Phase.PURGING: Refusal.BEING_DELETED,
    },
    "read-deleted": dict.fromkeys(
        (Phase.ACTIVE, Phase.DELETING, Phase.RECOVERING, Phase.PURGING), Refusal.DELETED_NOT_FOUND
    ),
    "end-deletion": {
        Phase.ACTIVE: Refusal.DELETED_NOT_FOUND,
        Phase.DELETING: Refusal.BEING_DELETED,
        Phase.RECOVERING: Refusal.BEING_RECOVERED,
        Phase.PURGING: Refusal.BEING_DELETED,
    },
}
"""Operation -> phase -> why it is refused there; what isn't listed is allowed."""


class RefusedError(Exception):
    """An operation that the state of a secret, or its vault, doesn't allow."""

    def __init__(self, reason: Refusal, name: str, version: str = "") -> None:
        super().__init__(f"{reason}: {name}")
        self.reason, self.name, self.version = reason, name, version


@dataclass(frozen=True)
class Read:
    """One answered GET of a version's value."""

    caller: str
    at: datetime


@dataclass
class Version:
    """One version of a secret; times are unix seconds of the simulated clock."""

    value: str
    created: int
    updated: int
    enabled: bool = True
    exp: int | None = None
    nbf: int | None = None
    tags: dict[str, str] | None = None
    content_type: str | None = None
    previous: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    reads: list[Read] = field(default_factory=list)


@dataclass
class Secret:
    """A secret with its versions, oldest first; `deleted_at` is simulated time, `phase_ends` the machine's."""

    name: str
    versions: list[Version] = field(default_factory=list)
    phase: Phase = Phase.ACTIVE
    phase_ends: float | None = None
    deleted_at: datetime | None = None

    @property
    def latest(self) -> Version:
        """The version an unversioned read gets: the newest, disabled or not."""
        return self.versions[-1]


@dataclass
class Vault:
    """One vault: its settings, who may do what there (object id -> operations), and its secrets."""

    name: str
    subscription: str
    resource_group: str
    retention_days: int = 7
    purge_protection: bool = False
    transition_seconds: float = 0.3
    roles: dict[str, frozenset[str]] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    purged: list[str] = field(default_factory=list)
    machine_time: Callable[[], float] = time.monotonic

    @property
    def arm_id(self) -> str:
        """The vault's resource id, as Event Grid's topic has it."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.KeyVault/vaults/{self.name}"

    @property
    def recovery_level(self) -> str:
        """The DeletionRecoveryLevel of everything in this vault."""
        custom = "Customized" if self.retention_days < 90 else ""
        return f"{custom}Recoverable{'' if self.purge_protection else '+Purgeable'}"

    def active(self) -> list[Secret]:
        """Return the secrets that a list shows, by name."""
        return [s for s in self._settled() if s.phase is Phase.ACTIVE]

    def deleted(self) -> list[Secret]:
        """Return the soft-deleted secrets, by name."""
        return [s for s in self._settled() if s.phase is Phase.DELETED]

    def secret(self, name: str, operation: str = "read") -> Secret:
        """Return a secret on which `operation` (a key of REFUSED) is allowed now; RefusedError otherwise."""
        secret = self._find(name)
        if secret is None:
            ended = operation in ("read-deleted", "end-deletion")
            raise RefusedError(Refusal.DELETED_NOT_FOUND if ended else Refusal.NOT_FOUND, name)
        if reason := REFUSED[operation].get(secret.phase):
            raise RefusedError(reason, name)
        return secret

    def version(self, name: str, version: str) -> Version:
        """Return a version, the latest for an empty id; RefusedError when there is none."""
        secret = self.secret(name)
        if not version:
            return secret.latest
        found = next((v for v in secret.versions if v.id == version.lower()), None)
        if found is None:
            raise RefusedError(Refusal.NOT_FOUND, name, version)
        return found

    def readable(self, name: str, version: str) -> Version:
        """Return a version whose value may be read: a disabled one may not, and nothing older stands in for it."""
        found = self.version(name, version)
        if not found.enabled:
            raise RefusedError(Refusal.DISABLED, name, version)
        return found

    def store(self, name: str, version: Version) -> Secret:
        """Add a version, which makes it the latest; makes the secret if there is none of that name."""
        secret = self._find(name)
        if secret is None:
            secret = self.secrets[name.lower()] = Secret(name)
        elif reason := REFUSED["write"].get(secret.phase):
            raise RefusedError(reason, name)
        else:
            version.previous = secret.latest.id
        secret.versions.append(version)
        return secret

    def delete(self, name: str, now: datetime) -> Secret:
        """Begin a secret's soft deletion."""
        secret = self.secret(name, "delete")
        secret.deleted_at = now
        return self._enter(secret, Phase.DELETING)

    def recover(self, name: str) -> Secret:
        """Begin a soft-deleted secret's recovery."""
        return self._enter(self.secret(name, "end-deletion"), Phase.RECOVERING)

    def purge(self, name: str) -> None:
        """Begin a soft-deleted secret's end; RefusedError where purge protection is on."""
        secret = self.secret(name, "end-deletion")
        if self.purge_protection:
            raise RefusedError(Refusal.PURGE_PROTECTED, name)
        self.purged.append(secret.name)
        self._enter(secret, Phase.PURGING)

    def scheduled_purge(self, secret: Secret) -> datetime:
        """Return when a deleted secret is purged by the service."""
        if secret.deleted_at is None:
            raise ValueError(f"{secret.name} is not deleted")
        return secret.deleted_at + timedelta(days=self.retention_days)

    def _enter(self, secret: Secret, phase: Phase) -> Secret:
        secret.phase, secret.phase_ends = phase, self.machine_time() + self.transition_seconds
        return secret

    def _settled(self) -> list[Secret]:
        found = [self._find(name) for name in sorted(self.secrets)]
        return [secret for secret in found if secret is not None]

    def _find(self, name: str) -> Secret | None:
        """Return the secret in the phase it has by now; names are case-insensitive."""
        secret = self.secrets.get(name.lower())
        if secret is None or secret.phase_ends is None or self.machine_time() < secret.phase_ends:
            return secret
        if secret.phase is Phase.PURGING:
            del self.secrets[name.lower()]
            return None
        secret.phase, secret.phase_ends = _NEXT[secret.phase], None
        return secret
