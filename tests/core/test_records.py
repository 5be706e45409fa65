"""Records on a real storage account: nothing gets lost between writers, and one result is ever committed."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError
from azure.storage.blob.aio import ContainerClient

from rekey import names
from rekey.errors import NotYetError, UnclearError
from rekey.model import Issued, Reason
from rekey.records import Entry, Record, Records

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ID = "11111111-1111-4111-8111-111111111111"


def record(rotation_id: str = ID, opened: datetime = NOW) -> Record:
    """Return an open record."""
    return Record(
        rotation_id=rotation_id,
        instance_id="rotate.kv-shop.deploy",
        deployment="test",
        vault="kv-shop",
        secret="deploy",
        reason=Reason.EVENT,
        opened=opened,
        policy_digest="digest",
        old_version="v1",
    )


def entry(step: str = "preflight", outcome: str = "ok", **more: object) -> Entry:
    """Return what a step did."""
    return msgspec.structs.replace(Entry(step=step, outcome=outcome, at=NOW), **more)


def issued(key_id: str) -> Issued:
    """Return a result."""
    return Issued(key_id=key_id, expires=NOW, staged_version=f"staged-{key_id}")


@pytest.fixture
async def records(container: ContainerClient) -> Records:
    """Return records with one open one."""
    made = Records(container)
    await made.open(record())
    return made


async def read(records: Records, rotation_id: str = ID) -> Record:
    """Return a record that is there."""
    found = await records.read(rotation_id)
    assert found is not None
    return found


async def test_record_is_opened_once(records: Records) -> None:
    """A repeated open leaves the record as it is, whatever it says."""
    await records.add(ID, entry())
    before = await read(records)
    await records.open(record(opened=NOW + timedelta(days=1)))
    assert await read(records) == before


async def test_unknown_record_is_none_and_not_yet(records: Records) -> None:
    """Reading what isn't there is None; adding to it is too early."""
    assert await records.read("another") is None
    with pytest.raises(NotYetError) as caught:
        await records.add("another", entry())
    assert caught.value.code == "no-record"


async def test_concurrent_entries_all_land(records: Records) -> None:
    """Ten writers at once lose nothing."""
    await asyncio.gather(*(records.add(ID, entry("update_consumer", detail=n)) for n in range(10)))
    assert sorted(e.detail for e in (await read(records)).entries) == list(range(10))


async def test_repeated_entry_is_counted(records: Records) -> None:
    """A step that keeps failing the same way is one line that says how often; another failure is another line."""
    for hour in range(3):
        await records.add(ID, entry(outcome="retry-after", code="busy", at=NOW + timedelta(hours=hour)))
    await records.add(ID, entry(outcome="retry-after", code="other"))
    await records.add(ID, entry(outcome="ok"))
    found = (await read(records)).entries
    assert [(e.code, e.outcome, e.times) for e in found] == [
        ("busy", "retry-after", 3),
        ("other", "retry-after", 1),
        ("", "ok", 1),
    ]
    assert found[0].at == NOW + timedelta(hours=2)


async def test_record_knows_what_was_done(records: Records) -> None:
    """Only a success counts as done."""
    await records.add(ID, entry("preflight", "permanent"))
    assert not (await read(records)).did("preflight")
    await records.add(ID, entry("preflight"))
    assert (await read(records)).did("preflight")


async def test_closed_record_keeps_its_result(records: Records) -> None:
    """The first result stays, and late entries are still written down."""
    await records.close(ID, "done")
    await records.close(ID, "failed")
    await records.add(ID, entry("update_consumer"))
    found = await read(records)
    assert (found.state, found.result) == ("closed", "done")
    assert found.closed
    assert found.did("update_consumer")


async def test_writer_of_an_old_state_is_refused(records: Records, container: ContainerClient) -> None:
    """Whoever read the record before somebody else wrote it can't overwrite that."""
    blob = container.get_blob_client(names.record_blob(ID))
    etag = (await blob.get_blob_properties()).etag
    await records.add(ID, entry())
    with pytest.raises(ResourceModifiedError):
        await blob.upload_blob(b"{}", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
    assert await read(records)


async def test_change_is_made_to_what_is_there_now(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that another writer got in front of is made anew on what that one wrote."""
    seen: list[int] = []

    def change(found: Record) -> Record:
        seen.append(len(found.entries))
        return msgspec.structs.replace(found, result=f"{len(found.entries)}")

    original = records._written

    async def overtaken(changed: Record, etag: str) -> bool:
        if len(seen) == 1:
            await Records(records._container).add(ID, entry())
        return await original(changed, etag)

    monkeypatch.setattr(records, "_written", overtaken)
    assert (await records.change(ID, change)).result == "1"
    assert seen == [0, 1]


async def test_listing_is_by_state_and_newest_first(records: Records) -> None:
    """Listings read no record and tell states apart."""
    for day, other in enumerate(("a", "b"), start=1):
        await records.open(record(other, NOW + timedelta(days=day)))
    await records.close("a", "done")
    assert [s.rotation_id for s in await records.listing()] == ["b", "a", ID]
    assert [s.rotation_id for s in await records.listing("open")] == ["b", ID]
    assert [(s.rotation_id, s.result, s.vault) for s in await records.listing("closed")] == [("a", "done", "kv-shop")]


async def test_one_attempt_commits(records: Records) -> None:
    """Whoever was overtaken can't commit, and after a commit everybody finds its result."""
    assert not (await records.begin_generating(ID, "first")).generating
    assert (await records.begin_generating(ID, "second")).generating == "first"
    with pytest.raises(UnclearError) as caught:
        await records.commit_issued(ID, "first", issued("of the first"))
    assert caught.value.code == "overtaken"
    await records.commit_issued(ID, "second", issued("of the second"))
    assert (await records.begin_generating(ID, "third")).issued == issued("of the second")


async def test_commit_whose_answer_was_lost_can_be_repeated(records: Records) -> None:
    """Committing the same result again, after the answer was lost, is no conflict."""
    await records.begin_generating(ID, "first")
    for _ in range(2):
        await records.commit_issued(ID, "first", issued("one"))
    assert (await read(records)).issued == issued("one")


class _OneRecord(Records):
    """Keeps the record in memory, with the same conditional write: thousands of orders in a second."""

    def __init__(self) -> None:
        self.stored, self.version = record(), 0

    async def _read(self, _rotation_id: str) -> tuple[Record, str]:
        return self.stored, str(self.version)

    async def _written(self, changed: Record, etag: str) -> bool:
        if etag != str(self.version):
            return False
        self.stored, self.version = changed, self.version + 1
        return True


@pytest.mark.parametrize("attempts", [2, 3])
async def test_every_order_of_attempts_commits_at_most_one(attempts: int) -> None:
    """In whatever order begins and commits happen, one result is ever committed, and whoever begins after sees it."""
    orders = set(itertools.permutations([n for n in range(attempts) for _ in range(2)]))
    for order in orders:
        await _walk(order)


async def _walk(order: Sequence[int]) -> None:
    kept, begun, committed = _OneRecord(), set[int](), list[Issued]()
    for attempt in order:
        if attempt not in begun:
            begun.add(attempt)
            before = await kept.begin_generating(ID, str(attempt))
            assert before.issued == (committed[0] if committed else None), order
            continue
        result = issued(str(attempt))
        try:
            await kept.commit_issued(ID, str(attempt), result)
        except UnclearError:
            continue
        committed.append(result)
        assert kept.stored.issued == result, order
    assert len(committed) == 1, order
    assert kept.stored.issued == committed[0], order


@pytest.mark.parametrize("torn", [b"", b'{"rotation_id": "', b"[]", b"\xff\xfe{"])
async def test_record_that_comes_torn_is_read_again(records: Records, container: ContainerClient, torn: bytes) -> None:
    """What can't be read is no record and no reason to give up; nothing of it is quoted."""
    await container.upload_blob(names.record_blob(ID), torn, overwrite=True)
    with pytest.raises(NotYetError) as caught:
        await read(records)
    assert caught.value.code == "malformed-answer"
    with pytest.raises(NotYetError):
        await records.add(ID, entry())
