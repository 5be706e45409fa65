"""Knows how a test about alerts makes hits, and what was told: a vault, a day, and callers that rules hit."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from rekey.audit.access import Access, Caller
from rekey.audit.alerts import counted, decided, settled
from rekey.audit.ports import Hit
from rekey.audit.state import Letter, State
from rekey.model.audit import Place

VAULT = "kv-shop"
PLACE = Place(account=0, prefix="resourceId=/SUBSCRIPTIONS/X/VAULTS/KV-SHOP/", vault=VAULT)
DAY = datetime(2030, 1, 5, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)
ERIN = Caller(app_id="04b07795-0000-4000-8000-000000000001", object_id="5b0c7e9e-0000-4000-8000-000000000002")
OWNER = "dana@contoso.example"
RULE = "unexpected-reader"


def hit(name: str = "deploy", rule: str = RULE, owners: tuple[str, ...] = (OWNER,), **access: Any) -> Hit:
    """Return a hit; by default Erin read a secret at noon."""
    first = access.pop("first", NOON)
    known = {"operation": "SecretGet", "status": 200, "caller": ERIN, "address": "104.40.82.76", "last": first}
    return Hit(rule=rule, owners=owners, access=Access(vault=VAULT, secret=name, first=first, **(known | access)))


class Watched:
    """One vault's state, as passes leave it; `letters` are all that was told."""

    def __init__(self) -> None:
        self.state = State(vault=VAULT)
        self.now = NOON
        self.letters: list[Letter] = []

    def saw(self, *hits: Hit, after: timedelta = timedelta(minutes=5)) -> list[Letter]:
        """Count hits, tell what is to be told and return that, as one pass does."""
        self.now += after
        self.state = decided(counted(self.state, hits), PLACE, self.now)
        told = list(self.state.letters)
        for letter in told:
            self.state = settled(self.state, letter.id)
        self.letters += told
        return told

    @property
    def groups(self) -> list[Any]:
        """The groups that are kept."""
        return list(self.state.groups.values())


def at(times: int, what: Hit) -> Hit:
    """Return that hit as one that stands for so many."""
    return replace(what, access=replace(what.access, times=times))


def many(count: int, **access: Any) -> list[Hit]:
    """Return hits on so many secrets."""
    return [hit(f"secret-{number}", **access) for number in range(count)]


def total(state: State) -> int:
    """Return how many times all groups stand for."""
    return sum(group.times for group in state.groups.values())


def ids(letters: Iterable[Letter]) -> set[str]:
    """Return their ids."""
    return {letter.id for letter in letters}
