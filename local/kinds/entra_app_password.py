"""A password of an application in Entra."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from local.answer import Answer
from local.company import Application, Company, Password
from local.kinds.ports import Judgements, Seed
from rekey.model import Facts

if TYPE_CHECKING:
    from local.onlooker import Onlooker
    from local.seen import Seen

REFUSED = "AADSTS7000215"
"""How Entra says that a password is wrong (or gone)."""


@dataclass(frozen=True)
class EntraAppPassword:
    """The password of one application, which had a single one, made by hand."""

    word: ClassVar[str] = "password"
    works: ClassVar[str] = "signs in"
    where: ClassVar[str] = "at Entra"
    over: ClassVar[str] = "ends"
    staged: ClassVar[bool] = True
    slow: ClassVar[str] = "a new password takes seconds to minutes to be known all over Entra, here 2 s"
    spreads: ClassVar[float] = 0
    makes: ClassVar[tuple[int, str]] = (1, "password")

    application: str

    def issued_for(self) -> str:
        """Say what it belongs to."""
        return f"application {self.application}, which has one password, made by hand"

    def bystanders(self) -> Seed:
        """Return nothing: every company has another application."""
        return {}

    def held(self, company: Company) -> str:
        """Return the application's first password."""
        return self._found(company).passwords[0].value

    def ends(self, company: Company) -> datetime:
        """Return the end of the application's first password."""
        return self._found(company).passwords[0].end

    def made(self, company: Company) -> int:
        """Return how many passwords it ever had."""
        return len(self._found(company).passwords)

    def key_id(self, company: Company, value: str) -> str | None:
        """Return the key id of the password."""
        found = self._live(company, value)
        return found.key_id if found else None

    def tried(self, onlooker: "Onlooker", company: Company, value: str) -> Answer:
        """Sign in as the application."""
        return onlooker.sign_in(self._found(company).client_id, value)

    def refuses(self, answer: Answer) -> bool:
        """Tell whether Entra said that the password is wrong."""
        return answer.status == 401 and REFUSED in answer.text

    def may_change(self, before: Company) -> Iterator[str]:
        """Yield the ends of passwords, and one more."""
        passwords = f"entra/applications/{re.escape(self.application)}/passwords"
        yield f"{passwords}/[0-9]+/removed$"
        yield f"{passwords}/{self.made(before)}/"

    def of_the_new(self) -> Judgements:
        """It signs in."""
        return {"its value signs in at Entra": self._signs_in}

    def of_the_old(self) -> Judgements:
        """It is gone, and nothing else is there in its place."""
        return {
            "one password is left, the published one": self._one_left,
            "the old password is refused": self._old_refused,
        }

    def of_the_version(self) -> Judgements:
        """It ends when the password does."""
        return {"version and password expire together": self._expire_together}

    def checked(self, facts: Facts) -> tuple[str, str]:
        """Say whose it is and which is old."""
        old = f"is key {facts.old_key_id}" if facts.old_key_id else ""
        return (
            f"owns {facts.display_name}",
            f"the old password {old}" if old else "which password is old can't be proved",
        )

    def generated(self, key_id: str, until: str) -> str:
        """Say which one was made."""
        return f"{self.application} has a second password, key {key_id}, until {until}"

    def verified(self) -> str:
        """Say how it was proved."""
        return f"Entra signs {self.application} in with it, several times in a row"

    def retired(self, key_ids: Sequence[str]) -> str:
        """Say what became of the old one."""
        return f"key {', '.join(key_ids)} removed from {self.application}"

    def _found(self, company: Company) -> Application:
        return company.entra.applications[self.application]

    def _live(self, company: Company, value: str) -> Password | None:
        return next((p for p in self._found(company).live() if p.value == value), None)

    def _signs_in(self, seen: "Seen") -> tuple[bool, str]:
        return seen.tried_new.ok, f"HTTP {seen.tried_new.status}, {seen.tried_new.text}"

    def _one_left(self, seen: "Seen") -> tuple[bool, str]:
        left = len(self._found(seen.company).live())
        published = self._live(seen.company, seen.new.value)
        told = f"{left} password{'' if left == 1 else 's'}, {'with' if published else 'without'} the published one"
        return published is not None and left == 1, told

    def _old_refused(self, seen: "Seen") -> tuple[bool, str]:
        return self.refuses(seen.tried_old), seen.tried_old.text

    def _expire_together(self, seen: "Seen") -> tuple[bool, str]:
        published, version = self._live(seen.company, seen.new.value), seen.new.exp
        password = int(published.end.timestamp()) if published else None
        told = f"version {_moment(version)}, password {_moment(password)}"
        return version is not None and version == password, told


def _moment(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %B %Y %H:%M:%S UTC") if seconds is not None else "never"
