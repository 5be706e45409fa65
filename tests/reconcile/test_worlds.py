"""Whole worlds of rotations in every state, searched night after night: what anything references is never removed."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekey import names
from rekey.errors import NotYetError, PermanentError
from rekey.model import Issued, Reason
from rekey.model.night import Part
from rekey.ports import Held, Holdings
from rekey.reconcile.issued import IssuedSearch
from rekey.reconcile.ledger import Ledger
from rekey.reconcile.memory import Reference, Sight, hashed
from rekey.reconcile.targets import Target
from rekey.reconcile.witness import Witness
from rekey.records import CLOSED, OPEN, Entry, Record, Summary
from rekey.vault import Version
from tests.triggers.durable import FakeDurable

if TYPE_CHECKING:
    from rekey.ports import CredentialKind
    from rekey.reconcile.memory import Memory
    from rekey.records import Records
    from rekey.vault import Vault

NOW = datetime(2030, 1, 10, 3, tzinfo=UTC)
ALIVE = ("RUNNING", "SUSPENDED", "PENDING")


@dataclass(frozen=True)
class Made:
    """One credential under our label, and what became of the rotation that made it.

    `committed`: whose key its record has: `mine`, `other` or none. `named_by`: which version names it, if any.
    """

    record: str
    deployment: str
    instance: str
    published: bool
    committed: str
    named_by: str
    staged: bool
    deleted: bool
    age: timedelta
    number: int = 0

    @property
    def rotation_id(self) -> str:
        """The rotation's id."""
        return str(UUID(int=self.number + 1, version=4))

    @property
    def key_id(self) -> str:
        """The credential's id."""
        return f"key-{self.number}"

    @property
    def needed(self) -> bool:
        """Tell whether anything in this world speaks for it, or nothing can be proved."""
        proved = self.record in {OPEN, CLOSED} and self.deployment == "ours" and not self.deleted
        walked = self.record == OPEN and self.instance in ALIVE
        published = (self.published and self.committed != "other") or bool(self.named_by)
        return not proved or walked or published or self.staged


FORGOTTEN = Made(
    record=CLOSED,
    deployment="ours",
    instance="gone",
    published=False,
    committed="mine",
    named_by="",
    staged=False,
    deleted=False,
    age=timedelta(days=20),
)
"""Nothing speaks for it."""

CHANGES: dict[str, list[Any]] = {
    "record": [OPEN, "missing", "unreadable"],
    "deployment": ["theirs"],
    "instance": [*ALIVE, "TERMINATED", "FAILED", "COMPLETED"],
    "published": [True],
    "committed": ["other", ""],
    "named_by": ["newest", "older", "elsewhere"],
    "staged": [True],
    "deleted": [True],
    "age": [timedelta(hours=hours) for hours in (-5, 0, 23, 25)],
}
CHANGE = st.sampled_from(list(CHANGES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(CHANGES[name])))
WORLDS = st.lists(st.lists(CHANGE, max_size=3).map(dict), min_size=1, max_size=8).map(
    lambda world: [replace(FORGOTTEN, number=number, **changes) for number, changes in enumerate(world)]
)
"""Credentials that differ from a forgotten one in three things at most, so that each thing is tried alone."""


@dataclass
class World:
    """Everybody who is asked, and what was removed, with its age then."""

    made: list[Made]
    now: datetime = NOW
    removed: dict[str, timedelta] = field(default_factory=dict)
    sights: dict[str, Sight] = field(default_factory=dict)

    async def read(self, rotation_id: str) -> Record | None:
        """Return a record, as Records does."""
        made = self._of(rotation_id)
        if made.record == "unreadable":
            raise NotYetError("malformed-answer", "it can't be read")
        return None if made.record == "missing" else _record(made)

    async def listing(self, state: str = "") -> list[Summary]:
        """Return nothing: no other rotation is under way."""
        del state
        return []

    async def begin_generating(self, *_: object) -> None:
        """Lock late attempts out."""

    async def add(self, *_: object) -> None:
        """Write down what is going to be removed."""

    async def versions(self, secret: str) -> list[Version]:
        """Return the versions of a rotation's secret, or of its staged value."""
        made = self._of(secret.removeprefix("staged-").removeprefix("secret-"))
        if made.deleted if secret.startswith("secret-") else not made.staged:
            raise PermanentError("not-found", "gone")
        named = [_version("named", made.key_id)] if made.named_by in {"newest", "older"} else []
        return [_version("old", ""), *named, *([_version("newer", "")] if made.named_by == "older" else [])]

    async def holdings(self, target: str) -> Holdings:
        """Return what was not removed; some targets can't be read."""
        if target != "app":
            raise NotYetError(target, "not now")
        there = [m for m in self.made if m.key_id not in self.removed]
        held = [Held(key_id=m.key_id, label=names.label("ours", m.rotation_id), **_dates(m)) for m in there]
        return Holdings(target=target, object_id="o", owned=True, answered=self.now, credentials=tuple(held))

    async def gone(self, _claim: Reference) -> bool:
        """Say that nothing was retired for good."""
        return False

    async def discard(self, _holdings: Holdings, key_id: str) -> None:
        """Remove a credential."""
        (made,) = [m for m in self.made if m.key_id == key_id]
        self.removed[key_id] = self.now - _dates(made)["created"]

    async def first_sight(self, what: str, now: Sight) -> Sight:
        """Remember a sight, as Memory does."""
        return self.sights.setdefault(what, now)

    async def lose_sight(self, what: str) -> None:
        """Forget a sight."""
        self.sights.pop(what, None)

    async def keep(self, *_: object) -> None:
        """Keep what was found."""

    async def night(self, run_id: str, *targets: str) -> None:
        """Search all targets once, the last of which can be read."""
        current = [m for m in self.made if m.named_by in {"newest", "elsewhere"}]
        references = [_reference(made) for made in current]
        engine = FakeDurable()
        for made in self.made:
            if made.instance != "gone":
                engine.put(f"rotate.kv.{made.number}", made.instance, {"rotation_id": made.rotation_id})
        me = cast("Any", self)
        vault = cast("Vault", me)
        witness = Witness(cast("Records", me), engine, lambda _name: vault, "ours", references, self.gone)
        ledger = Ledger(cast("Memory", me), Part(run_id=run_id, started=self.now), "issued")
        kind = cast("CredentialKind", me)
        search = IssuedSearch(lambda _kind: kind, vault, "ours", witness, ledger, references, everywhere=True)
        await search.run([Target("toy", target) for target in (*targets, "app")])
        await ledger.keep()

    def _of(self, rotation_id: str) -> Made:
        (made,) = [m for m in self.made if m.rotation_id == rotation_id]
        return made


def _dates(made: Made) -> dict[str, datetime]:
    return {"created": NOW - made.age, "expires": NOW + timedelta(days=100)}


def _record(made: Made) -> Record:
    issued = Issued(key_id=made.key_id if made.committed == "mine" else "x", expires=NOW) if made.committed else None
    published = Entry(step=names.SET_SECRET_VERSION, outcome="ok", at=NOW)
    return Record(
        rotation_id=made.rotation_id,
        instance_id=f"rotate.kv.{made.number}",
        deployment=made.deployment,
        vault="kv",
        secret=f"secret-{made.rotation_id}",
        reason=Reason.EVENT,
        opened=NOW - timedelta(days=40),
        policy_digest="",
        old_version="old",
        state=made.record,
        issued=issued,
        entries=(published,) if made.published else (),
    )


def _version(version: str, key_id: str) -> Version:
    tags = {names.TAG_KEY_ID: key_id} if key_id else {}
    return Version(id=version, enabled=version != "old", created=NOW, expires=None, content_type=None, tags=tags)


def _reference(made: Made) -> Reference:
    return Reference(vault="kv", secret="s", key=hashed(made.key_id), rotation_id="", created=NOW)


@settings(max_examples=300, deadline=None)
@given(WORLDS, st.sampled_from([timedelta(hours=1), timedelta(hours=13), timedelta(days=1)]))
def test_exactly_what_nothing_references_goes(made: list[Made], between: timedelta) -> None:
    """Whatever the nights' distance: nothing needed and nothing young goes, and all the rest does after three days."""

    async def nights() -> World:
        world = World(made)
        for number in range(6):
            world.now = NOW + number * between
            await world.night(f"night {number}")
        return world

    world = asyncio.run(nights())
    assert world.removed.keys().isdisjoint(m.key_id for m in made if m.needed)
    assert all(age >= timedelta(days=1) for age in world.removed.values())
    if between == timedelta(days=1):
        assert world.removed.keys() == {m.key_id for m in made if not m.needed}
    if between == timedelta(hours=1):
        assert not world.removed


def test_a_target_that_cannot_be_read_now_stops_no_other() -> None:
    """What is to be removed elsewhere is; the error comes at the end, so that the rest is tried again."""

    async def nights(code: str) -> World:
        world = World([FORGOTTEN])
        for number in range(2):
            world.now = NOW + timedelta(days=number)
            with pytest.raises(NotYetError, match="not now"):
                await world.night(f"night {number}", code)
        return world

    assert asyncio.run(nights("service-unavailable")).removed.keys() == {FORGOTTEN.key_id}
    assert not asyncio.run(nights("throttled")).removed
