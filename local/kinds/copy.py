"""What most consumers have in common: each has a copy of the secret's value, with which one can try to get in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from local.answer import Answer
from local.company import Company
from local.kinds.ports import Credential, Judgements, Seed

if TYPE_CHECKING:
    from local.onlooker import Onlooker
    from local.seen import Seen
    from local.stack import Stack


class Copy:
    """A place with a copy of the value, which is tried the way the credential itself is."""

    part: ClassVar[str] = "copy in"
    stores: ClassVar[str]
    """The check that it has exactly that value."""
    uses: ClassVar[str]
    """The check that it gets in with it."""
    how: ClassVar[str]
    """How that is found out."""

    def uri(self) -> str:
        """Return its normal form."""
        raise NotImplementedError

    def place(self) -> str:
        """Return its name where all around it is known."""
        return self.uri().rpartition("/")[2]

    def held(self, company: Company) -> str | None:
        """Return the value it has."""
        raise NotImplementedError

    def seed_with_secret(self, vault: str, secret: str) -> Seed:  # noqa: ARG002 - the port's signature
        """Return nothing: all of it may be there before."""
        return {}

    def third_parties(self) -> Sequence[str]:
        """Return nobody."""
        return ()

    def tried(self, onlooker: "Onlooker", company: Company, credential: Credential) -> Answer | None:
        """Use the copy as somebody would who was given it."""
        return credential.tried(onlooker, company, self.held(company) or "")

    def judgements(self) -> Judgements:
        """It has that very value, and gets in with it."""
        return {self.stores: self._stored, self.uses: self._used}

    def acts(self, stack: "Stack", rotation_id: str, told: Sequence[str]) -> str:  # noqa: ARG002 - the port's signature
        """Do nothing: Rekey does it all."""
        return ""

    def _stored(self, seen: "Seen") -> tuple[bool, str]:
        same = self.held(seen.company) == seen.new.value
        return same, f"{self.place()} stores {'that' if same else 'another'} value"

    def _used(self, seen: "Seen") -> tuple[bool, str]:
        answer = seen.tried[self.uri()]
        return answer.ok, f"{self.how}: {answer.text}"
