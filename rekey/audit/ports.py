"""What a rule has to do, and what it may know of the secret whose access it judges."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

import msgspec

from rekey.audit.access import Access, Caller


class Severity(StrEnum):
    """How bad a hit is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one secret: by its tags, and by the record of the rotation that made its current version.

    `readers` are the ids its own tag names, None if it has no such tag. `current` is the version that the rotation of
    id `rotation` published at `switched`, `previous` the one before; all are empty where Rekey didn't make it.
    `in_grace`: that rotation still keeps the previous credential valid.
    """

    managed: bool = False
    readers: frozenset[str] | None = None
    owners: tuple[str, ...] = ()
    current: str = ""
    previous: str = ""
    rotation: str = ""
    switched: datetime | None = None
    in_grace: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one vault while its log is judged: `own` are the ids of Rekey itself, lower case.

    `readers` are the vault's default readers, None if settings name none. `secrets` are by name, lower case.
    `closed`: it is the staging vault, where nobody else has anything to do.
    """

    own: frozenset[str]
    closed: bool = False
    readers: frozenset[str] | None = None
    secrets: Mapping[str, Watched] = {}

    def is_own(self, caller: Caller) -> bool:
        """Tell whether that is Rekey itself."""
        return not self.own.isdisjoint(caller.known_as())

    def secret(self, name: str) -> Watched:
        """Return what is known of a secret; nothing, if it isn't there (any more)."""
        return self.secrets.get(name, Watched())


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One access that a rule hit: people are told, the secret's owners (mail addresses) among them."""

    rule: str
    access: Access
    owners: tuple[str, ...] = ()


class Rule(Protocol):
    """Judges one access. Rules have no state and ask nobody: the same access gets the same answer."""

    id: ClassVar[str]
    severity: ClassVar[Severity]
    explanation: ClassVar[str]
    """What a hit means, a sentence for people."""
    what_to_do: ClassVar[str]

    def hit(self, access: Access, known: Known) -> bool:
        """Tell whether people are to be told of this access."""
        ...
