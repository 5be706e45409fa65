"""What a company's kinds have to tell: the interfaces of a credential and of a consumer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from local.answer import Answer
from local.company import Company
from rekey.model import Facts

if TYPE_CHECKING:
    from local.onlooker import Onlooker
    from local.seen import Seen
    from local.stack import Stack

type Seed = dict[str, Any]
"""A seed document, or parts of one."""

type Judgement = Callable[["Seen"], tuple[bool, str]]
"""Whether it holds, and what was seen of it: never a secret value."""

type Judgements = Mapping[str, Judgement]
"""What has to hold -> how it is judged."""

NONE: Judgements = {}


class Credential(Protocol):
    """The managed secret's credential."""

    word: ClassVar[str]
    """What it is called: password, key."""
    works: ClassVar[str]
    """What one that is valid does: signs in."""
    where: ClassVar[str]
    """Where it does that, if that isn't said by then: at Entra."""
    over: ClassVar[str]
    """What it does at its end: ends."""
    staged: ClassVar[bool]
    """Whether its value goes through the staging vault."""
    slow: ClassVar[str]
    """Why a new one isn't accepted at once."""
    spreads: ClassVar[float]
    """Seconds after which one that was retired is refused everywhere, at most."""
    makes: ClassVar[tuple[int, str]]
    """How many of what one rotation makes."""

    def issued_for(self) -> str:
        """Say what it belongs to, before the rotation."""
        ...

    def bystanders(self) -> Seed:
        """Return what else there is of its kind, which no rotation may touch."""
        ...

    def held(self, company: Company) -> str:
        """Return what the secret holds before the rotation."""
        ...

    def ends(self, company: Company) -> datetime:
        """Return when the one from before the rotation ends."""
        ...

    def made(self, company: Company) -> int:
        """Return how many were ever made."""
        ...

    def key_id(self, company: Company, value: str) -> str | None:
        """Return the issuer's id of the live credential that a version with this value holds."""
        ...

    def tried(self, onlooker: "Onlooker", company: Company, value: str) -> Answer:
        """Use what a version with this value holds."""
        ...

    def refuses(self, answer: Answer) -> bool:
        """Tell whether the issuer said that the credential is none, rather than anything else."""
        ...

    def may_change(self, before: Company) -> Iterator[str]:
        """Yield regular expressions of the paths of the state that its rotation may change."""
        ...

    def of_the_new(self) -> Judgements:
        """Return what has to hold of the new credential."""
        ...

    def of_the_old(self) -> Judgements:
        """Return what has to hold of the old one."""
        ...

    def of_the_version(self) -> Judgements:
        """Return what the new version has to say of it."""
        ...

    def checked(self, facts: Facts) -> tuple[str, str]:
        """Say what preflight found: that the app may make a new one, and which is the old one."""
        ...

    def generated(self, key_id: str, until: str) -> str:
        """Say which one was made."""
        ...

    def verified(self) -> str:
        """Say how it was proved."""
        ...

    def retired(self, key_ids: Sequence[str]) -> str:
        """Say what became of the old one."""
        ...


class Consumer(Protocol):
    """A place that has a copy, or that tries one out."""

    def uri(self) -> str:
        """Return its normal form in a tag and in the evidence."""
        ...

    part: ClassVar[str]
    """What it has to do with the secret: copy in."""

    def shown(self) -> str:
        """Say where it is."""
        ...

    def seed(self, value: Any, canary: str) -> Seed:
        """Return it, its bystanders and the app's rights to it; `value` is the secret's, as seeds name it.

        Whatever else is secret there begins with the canary.
        """
        ...

    def seed_with_secret(self, vault: str, secret: str) -> Seed:
        """Return what can't be there before the secret is."""
        ...

    def scope(self) -> dict[str, Any]:
        """Return its part of what the vault's secrets may name."""
        ...

    def third_parties(self) -> Sequence[str]:
        """Return who is told at the switch because of it."""
        ...

    def held(self, company: Company) -> str | None:
        """Return the value it has; None if it never has any."""
        ...

    def tried(self, onlooker: "Onlooker", company: Company, credential: Credential) -> Answer | None:
        """Use what it holds as it would itself; None where there is nothing to use."""
        ...

    def may_change(self) -> Iterator[str]:
        """Yield regular expressions of the paths of the state that a rotation may change."""
        ...

    def judgements(self) -> Judgements:
        """Return what has to hold of it."""
        ...

    def updated(self) -> str:
        """Say what it has now."""
        ...

    def witnessed(self, answer: Answer, *, same: bool) -> str:
        """Say what it holds and how it was tried; `same`: that it is the secret's value."""
        ...

    def acts(self, stack: "Stack", rotation_id: str, told: Sequence[str]) -> str:
        """Do what people there do once `told`, these addresses, got the switch's mail, and say so; "" for nothing."""
        ...
