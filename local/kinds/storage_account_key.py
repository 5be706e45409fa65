"""A key of a storage account, alone in the secret or in a connection string."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from local.answer import Answer
from local.company import Company
from local.company_arm import StorageAccount
from local.kinds import arm
from local.kinds.ports import Judgements, Seed
from local.seed_document import merged
from rekey.model import Facts

if TYPE_CHECKING:
    from local.onlooker import Onlooker
    from local.seen import Seen

LIFETIME = timedelta(days=180)
"""What the tags ask for: a key has no end of its own."""


@dataclass(frozen=True)
class StorageAccountKey:
    """The keys of one account, of which the managed secret holds key1 at first."""

    word: ClassVar[str] = "key"
    works: ClassVar[str] = "opens the account"
    where: ClassVar[str] = ""
    over: ClassVar[str] = "is due"
    staged: ClassVar[bool] = False
    slow: ClassVar[str] = "a key made anew is accepted a little later, here after 1 s"
    spreads: ClassVar[float] = 5
    makes: ClassVar[tuple[int, str]] = (2, "regeneration")

    account: str
    account_id: str
    vault: str
    secret: str
    value: str

    def issued_for(self) -> str:
        """Say what it belongs to."""
        return f"storage account {self.account}, whose key1 is in use and key2 isn't"

    def bystanders(self) -> Seed:
        """Return another account, which the app has the same rights to."""
        other = f"{self.account}x"
        scope = f"{self.account_id}x"
        roles = (arm.granted(role, scope) for role in ("Reader", "Storage Account Key Operator Service Role"))
        return merged({"storage_accounts": {other: {"resource_group": arm.GROUP}}}, *roles)

    def held(self, company: Company) -> str:  # noqa: ARG002 - the port's signature
        """Return key1, dressed as it is."""
        return self.value

    def ends(self, company: Company) -> datetime:
        """Return the end of the version that holds it."""
        expires = company.keyvault.vaults[self.vault].secrets[self.secret].versions[0].exp
        return datetime.fromtimestamp(expires or 0, UTC)

    def made(self, company: Company) -> int:
        """Return how often one of the keys was made anew."""
        return self._found(company).regenerations

    def key_id(self, company: Company, value: str) -> str | None:
        """Return name and creation time of the key."""
        named = self._named(company, value)
        return f"{named}@{self._found(company).keys[named].creation_time}" if named else None

    def tried(self, onlooker: "Onlooker", company: Company, value: str) -> Answer:  # noqa: ARG002 - the port's signature
        """Sign a call to the account's blob service."""
        return onlooker.blob_service(self.account, key_in(value))

    def refuses(self, answer: Answer) -> bool:
        """Tell whether the account said that the signature is wrong."""
        return answer.status == 403 and "AuthenticationFailed" in answer.text

    def may_change(self, before: Company) -> Iterator[str]:  # noqa: ARG002 - the port's signature
        """Yield both keys of the account."""
        yield f"arm/Microsoft.Storage/{self.account}/(keys/key[12]/(value|creation_time)|regenerations)$"

    def of_the_new(self) -> Judgements:
        """It is let in, and is the key that nobody used."""
        return {
            "its key opens the storage account": self._let_in,
            "it is key2, which was not in use": self._other_key,
        }

    def of_the_old(self) -> Judgements:
        """It was made anew after the other one, so that nobody has it."""
        return {
            "each key was made anew once, key1 last": self._in_turn,
            "the old key is refused": self._old_refused,
        }

    def of_the_version(self) -> Judgements:
        """It ends when the policy says."""
        return {"the version ends when the policy says": self._lifetime}

    def checked(self, facts: Facts) -> tuple[str, str]:
        """Say which key is old and which is next."""
        old = facts.old_key_id or "left alone"
        return f"regenerates keys of {facts.display_name}", f"the old key is {old}, the next one is {facts.next_key_id}"

    def generated(self, key_id: str, until: str) -> str:
        """Say which one was made."""
        return f"{self.account} made the key anew that nobody used: {key_id}, to be replaced by {until}"

    def verified(self) -> str:
        """Say how it was proved."""
        return f"{self.account} answers a call signed with it, several times in a row"

    def retired(self, key_ids: Sequence[str]) -> str:
        """Say what became of the old one."""
        return f"{', '.join(key_ids)} of {self.account} was made anew, so that nobody has it"

    def _found(self, company: Company) -> StorageAccount:
        return company.arm.storage[self.account]

    def _named(self, company: Company, value: str) -> str:
        """Return the name of the key that a value holds; "" if it is none."""
        keys = self._found(company).keys
        return next((name for name, key in keys.items() if key.value == key_in(value)), "")

    def _let_in(self, seen: "Seen") -> tuple[bool, str]:
        return seen.tried_new.ok, f"HTTP {seen.tried_new.status}, {seen.tried_new.text}"

    def _other_key(self, seen: "Seen") -> tuple[bool, str]:
        was = self._named(Company.of(seen.before), seen.old.value)
        now = self._named(seen.company, seen.new.value)
        return (was, now) == ("key1", "key2"), f"{was or 'no key'} before, {now or 'no key'} now"

    def _in_turn(self, seen: "Seen") -> tuple[bool, str]:
        before, after = self._found(Company.of(seen.before)), self._found(seen.company)
        times = after.regenerations - before.regenerations
        made = {name: key.creation_time or "" for name, key in after.keys.items()}
        fresh = all(key.value != before.keys[name].value for name, key in after.keys.items())
        return fresh and times == 2 and made["key1"] > made["key2"], f"{times} times; {_listed(made)}"

    def _old_refused(self, seen: "Seen") -> tuple[bool, str]:
        return self.refuses(seen.tried_old), seen.tried_old.text

    def _lifetime(self, seen: "Seen") -> tuple[bool, str]:
        if seen.new.exp is None or not seen.records:
            return False, "never"
        end, opened = datetime.fromtimestamp(seen.new.exp, UTC), seen.records[0].opened
        return abs(end - opened - LIFETIME) < timedelta(hours=1), f"{end:%d %B %Y}, {(end - opened).days} days later"


def key_in(value: str) -> str:
    """Return the account key in a secret's value: all of it, or what a connection string has."""
    found = re.search(r"(?:^|;)AccountKey=([^;]+)", value)
    return found[1] if found else value


def _listed(made: dict[str, str]) -> str:
    return ", ".join(f"{name} at {moment[11:19]}" for name, moment in sorted(made.items()))
