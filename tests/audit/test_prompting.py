"""What a refused read of the old version does to the rotation that disabled it: a note in its record, and an event."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from azure.storage.blob.aio import ContainerClient

from rekey import names
from rekey.audit.access import Access, Caller
from rekey.audit.ports import Known, Watched
from rekey.audit.prompting import prompt
from rekey.model import Reason, Refusal
from rekey.records import Entry, Record, Records

NOW = datetime(2030, 1, 5, 12, tzinfo=UTC)
ID = "11111111-1111-4111-8111-111111111111"
INSTANCE = "rotate.kv-shop.deploy"
SHOP, STRANGER, REKEY = (Caller(app_id=f"app-{who}", object_id=f"oid-{who}") for who in ("shop", "stranger", "rekey"))
OLD = Watched(
    managed=True,
    readers=frozenset({"app-shop"}),
    current="v2",
    previous="v1",
    rotation=ID,
    switched=NOW,
    in_grace=True,
)
REFUSED = Refusal(app_id="app-shop", object_id="oid-shop", at=NOW + timedelta(hours=1))


@dataclass
class Engine:
    """A durable client: notes the events; `down` lets every call fail."""

    down: bool = False
    status: str = "RUNNING"
    raised: list[tuple[str, str]] = field(default_factory=list)

    async def get_orchestration_state(self, _instance: str, **_more: Any) -> Any:
        """Return how the instance does."""
        return SimpleNamespace(runtime_status=SimpleNamespace(name=self.status))

    async def schedule_new_orchestration(self, *_given: Any, **_more: Any) -> str:
        """Refuse: nothing is started here."""
        raise NotImplementedError

    async def raise_orchestration_event(self, instance: str, event: str) -> None:
        """Note the event."""
        if self.down:
            raise ConnectionError
        self.raised.append((instance, event))


def access(**more: Any) -> Access:
    """Return a read of the old version that was refused because it is disabled."""
    at = NOW + timedelta(hours=1)
    facts = {
        "vault": "kv-shop",
        "secret": "deploy",
        "version": "v1",
        "operation": "SecretGet",
        "status": 403,
        "disabled": True,
        "caller": SHOP,
        "first": at,
        "last": at,
    }
    return Access(**{**facts, **more})


def known(watched: Watched = OLD, readers: frozenset[str] | None = None) -> Known:
    """Return what is known of the vault."""
    return Known(own=frozenset({"app-rekey"}), readers=readers, secrets={"deploy": watched})


async def records_with(container: ContainerClient, *steps: str, **more: Any) -> Records:
    """Return records with one rotation that has done these steps, by default those up to the grace."""
    records = Records(container)
    facts = {
        "rotation_id": ID,
        "instance_id": INSTANCE,
        "deployment": "test",
        "vault": "kv-shop",
        "secret": "deploy",
        "reason": Reason.EVENT,
        "opened": NOW,
        "policy_digest": "digest",
        "old_version": "v1",
    }
    done = steps or (names.SET_SECRET_VERSION, names.DISABLE_OLD_VERSION)
    entries = tuple(Entry(step=step, outcome="ok", at=NOW) for step in done)
    await records.open(Record(**{**facts, "entries": entries, **more}))
    return records


async def refusals(records: Records) -> tuple[Refusal, ...]:
    """Return what the record says."""
    record = await records.read(ID)
    assert record is not None
    return record.refusals


async def test_refused_reader_is_put_down_and_the_rotation_woken(container: ContainerClient) -> None:
    """Twice the same pass: one note, with the first time, and the event again in case the first was lost."""
    records, engine = await records_with(container), Engine()
    await prompt(records, engine, "kv-shop", [access()], known())
    later = access(last=NOW + timedelta(hours=2))
    await prompt(records, engine, "kv-shop", [later], known())
    assert await refusals(records) == (REFUSED,)
    assert engine.raised == [(INSTANCE, names.DECISION_EVENT)] * 2


@pytest.mark.parametrize("engine", [Engine(down=True), Engine(status="COMPLETED")])
async def test_note_stands_whatever_the_engine_says(container: ContainerClient, engine: Engine) -> None:
    """An event that can't be raised, or has no receiver, stops no pass: the rotation finds the note."""
    records = await records_with(container)
    await prompt(records, engine, "kv-shop", [access()], known())
    assert await refusals(records) == (REFUSED,)
    assert engine.raised == []


@pytest.mark.parametrize(
    ("watched", "readers"),
    [
        (msgspec.structs.replace(OLD, readers=frozenset({"oid-shop"})), None),
        (msgspec.structs.replace(OLD, readers=None), frozenset({"app-shop"})),
        (msgspec.structs.replace(OLD, readers=None), None),
    ],
)
async def test_every_list_of_readers_counts(
    container: ContainerClient, watched: Watched, readers: frozenset[str] | None
) -> None:
    """By object id as well; the vault's default where the secret has none; anybody with the right where neither is."""
    records = await records_with(container)
    await prompt(records, Engine(), "kv-shop", [access()], known(watched, readers))
    assert await refusals(records) == (REFUSED,)


@pytest.mark.parametrize(
    "more",
    [
        {"caller": STRANGER},
        {"caller": REKEY},
        {"caller": Caller()},
        {"disabled": False},
        {"version": "v2"},
        {"version": ""},
        {"operation": "SecretSet"},
        {"last": NOW - timedelta(hours=1)},
    ],
)
async def test_near_misses_change_nothing(container: ContainerClient, more: dict[str, Any]) -> None:
    """A stranger, Rekey, nobody; another refusal, version or operation; a refusal from before the switch."""
    records, engine = await records_with(container), Engine()
    anybody = msgspec.structs.replace(OLD, readers=frozenset({"app-shop", "app-rekey", ""}))
    await prompt(records, engine, "kv-shop", [access(**more)], known(anybody))
    assert (await refusals(records), engine.raised) == ((), [])


@pytest.mark.parametrize(
    ("steps", "more"),
    [
        ((), {"reason": Reason.LEAK}),
        ((), {"state": "closed"}),
        ((), {"vault": "kv-other"}),
        ((names.SET_SECRET_VERSION,), {}),
        ((names.DISABLE_OLD_VERSION, names.RETIRE_OLD_CREDENTIAL), {}),
    ],
)
async def test_record_has_the_last_word(container: ContainerClient, steps: tuple[str, ...], more: Any) -> None:
    """After a leak, another vault's, closed, nothing disabled, or retired: what is believed elsewhere doesn't count."""
    records, engine = await records_with(container, *steps, **more), Engine()
    await prompt(records, engine, "kv-shop", [access()], known())
    assert (await refusals(records), engine.raised) == ((), [])


@pytest.mark.parametrize(
    "change", [{"in_grace": False}, {"switched": None}, {"previous": ""}, {"rotation": "../records/x"}]
)
async def test_rotation_out_of_grace_is_left_alone(container: ContainerClient, change: dict[str, Any]) -> None:
    """What isn't known to be in grace, or by no rotation's id, is not asked for."""
    records, engine = await records_with(container), Engine()
    await prompt(records, engine, "kv-shop", [access()], known(msgspec.structs.replace(OLD, **change)))
    assert (await refusals(records), engine.raised) == ((), [])
