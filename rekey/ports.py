"""What a credential kind and a consumer kind have to do: the two interfaces a new one implements.

Verbs raise the errors of `rekey.errors`; whatever else they let out becomes a retry. Each verb may be executed twice,
die anywhere, or wake up late: it converges. No verb returns or logs a secret's value except as `SecretValue`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol

import msgspec

from rekey.clients import Clients
from rekey.model import ConsumerTarget, Facts, Rotation, When
from rekey.secret_value import SecretValue
from rekey.settings import Settings


class Permission(msgspec.Struct, frozen=True):
    """A right a kind needs: where, which, what for, and the command that grants it."""

    plane: str
    name: str
    needed_for: str
    grant: str


class NewCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential the issuer has just made. Never leaves the activity that asked for it."""

    key_id: str
    expires: datetime
    value: SecretValue


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One credential as its issuer lists it, without its value; `label` is what it was issued under."""

    key_id: str
    label: str
    created: datetime
    expires: datetime


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """Every credential of one target. `answered` is the issuer's own time, None if it didn't say.

    `owned`: the app's identity may remove credentials of this target.
    """

    target: str
    object_id: str
    owned: bool
    answered: datetime | None
    credentials: tuple[Held, ...]


class ConsumerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What preflight learns of a consumer: the service's own id of the object, and what the reader should know.

    `third_parties` are the mail addresses of those who have to act by hand. `keyless` says why it needs no key any
    more, so that it is left alone; "" if it needs one.
    """

    object_id: str
    remarks: tuple[str, ...] = ()
    third_parties: tuple[str, ...] = ()
    keyless: str = ""


class Past(Protocol):
    """What came before a rotation; each is read when it is asked for."""

    async def value(self) -> SecretValue:
        """Return the value of the version that is current before the rotation."""
        ...

    async def recorded_key(self) -> str | None:
        """Return the key id that the record of the rotation which made that version has; None without such a record.

        Tags are written by others: what they claim is believed only as far as this agrees.
        """
        ...


class Turn(Protocol):
    """One attempt's turn at the issuer."""

    before: datetime | None
    """When an earlier attempt of this rotation last asked the issuer; None: none ever did."""

    async def ask(self) -> None:
        """Say that the issuer is asked now, right before a request that must never be repeated blindly.

        OvertakenError if another attempt has taken over: then it must not be sent.
        """
        ...


class Handover(Protocol):
    """What a consumer is handed: the published version, its value, and a note to itself that outlives the attempt."""

    version: str
    """The id of the published Key Vault version."""

    async def value(self) -> SecretValue:
        """Return the published value, read when it is asked for."""
        ...

    async def recall(self) -> str:
        """Return what `keep` was last given for this consumer in this rotation, "" at first."""
        ...

    async def keep(self, note: str) -> None:
        """Remember something for later attempts. It is on the record for all to read: an id, never a value."""
        ...


class CredentialKind(Protocol):
    """Issues, proves and retires one kind of credential. Built per activity with the process's shared clients."""

    permissions: ClassVar[tuple[Permission, ...]]
    reveals_once: ClassVar[bool]
    """True if the issuer shows the value a single time, so that it is staged at once; else `reveal` is asked for it."""
    never_ends: ClassVar[bool]
    """True if the issuer gives the credential no end: a version without an expiry date is judged by its age."""
    writes: ClassVar[Mapping[str, int]]
    """How many of the writes that a limit of rekey.nightly_settings.LIMITS counts one rotation makes, by its name.

    Those of Key Vault are left out: every kind's new version is one, and a staged value another.
    """

    def __init__(self, clients: Clients) -> None: ...

    @staticmethod
    def check_target(target: str, vault: str, settings: Settings) -> str:
        """Return the target's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        ...

    @staticmethod
    def targets(settings: Settings) -> Sequence[str]:
        """Return every target that settings allow, in normal form, in the same order each time."""
        ...

    async def holdings(self, target: str) -> Holdings:
        """Return all credentials of that target, whoever made them; they may lag what was written just now."""
        ...

    async def discard(self, holdings: Holdings, key_id: str) -> None:
        """Make that credential of the target unusable, outside of any rotation; gone already is no error."""
        ...

    async def inspect(self, rotation: Rotation, past: Past) -> Facts:
        """Check that the credential can be rotated, changing nothing; PermanentError names what is missing.

        The past is asked only by a kind that can't do without.
        """
        ...

    async def generate(self, rotation: Rotation, label: str, expires: datetime, turn: Turn) -> NewCredential:
        """Issue a new credential under `label`; UnclearError if the answer was lost.

        A kind whose issuer can't tell by a label what an attempt left uses `turn` to look before it repeats anything.
        """
        ...

    async def reveal(self, rotation: Rotation, key_id: str) -> SecretValue:
        """Return the value of that very credential, asked of the issuer again; PermanentError if it isn't there.

        Never asked of a kind that reveals once.
        """
        ...

    def published(self, rotation: Rotation, value: SecretValue, current: SecretValue) -> SecretValue:
        """Return what the new version holds: `value` itself, or dressed as `current` is (a connection string)."""
        ...

    async def labelled(self, rotation: Rotation, label: str) -> Sequence[str]:
        """Return the ids of the credentials that carry `label`."""
        ...

    async def remove(self, rotation: Rotation, key_id: str) -> None:
        """Undo `generate`: make that credential unusable; one that is gone already is no error.

        An issuer with a fixed number of credentials leaves it: nobody was given it, and it can't be without.
        """
        ...

    async def retire(self, rotation: Rotation, key_id: str, kept: str) -> None:
        """Make the old credential unusable, if `kept`, the published one, is still good; gone already is no error."""
        ...

    async def verify(self, rotation: Rotation, value: SecretValue) -> None:
        """Use the credential once for real; NotYetError while the issuer doesn't know it everywhere."""
        ...


class ConsumerKind(Protocol):
    """Tells one kind of consumer about a new credential. Built per activity with the process's shared clients."""

    permissions: ClassVar[tuple[Permission, ...]]
    when: ClassVar[When]
    """When it gets its turn; one BY_HAND is only ever inspected."""

    def __init__(self, clients: Clients) -> None: ...

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        ...

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:
        """Check that the consumer exists and may be edited, changing nothing; PermanentError names what is missing."""
        ...

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str | None:
        """Read, merge and write back the whole object with the new value. The caller holds the object's lease.

        Of a consumer that needs no key any more nothing is written: return why, and it is not confirmed either.
        """
        ...

    async def confirm(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str:
        """Return how the new value was confirmed; NotYetError while it isn't."""
        ...
