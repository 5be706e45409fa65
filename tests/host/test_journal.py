"""What an engine has on disk between any two transactions: enough to go on, and nothing twice."""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.task import ActivityContext, OrchestrationContext, when_all

from local.host import store as store_module
from local.host.direct_calls import DirectCall
from local.host.store import Store, StoreError, state_file
from tests.host.engine import Engine, FailingStore

type Steps = Generator[Any, Any, Any]

DONE: Counter[str] = Counter()
MOMENTS = ("before", "after")


def note(_: ActivityContext, label: str) -> str:
    """Do something."""
    DONE[label] += 1
    return label.upper()


def parent(context: OrchestrationContext, _: Any) -> Steps:
    """Use everything that a store has to keep."""
    first = yield context.call_activity(note, input="a")
    context.set_custom_status("underway")
    below = context.call_sub_orchestrator(below_it, input=1, instance_id="child")
    many: list[Any] = [context.call_activity(note, input=f"many-{number}") for number in range(3)]
    several = yield when_all(many)
    yield context.create_timer(timedelta(milliseconds=1))
    told = yield context.wait_for_external_event("go")
    return [first, (yield below), several, told]


def below_it(context: OrchestrationContext, left: int) -> Steps:
    """Continue as new once."""
    result = yield context.call_activity(note, input=f"below-{left}")
    if left:
        context.continue_as_new(left - 1)
        return None
    return result


OUTPUT = ["A", "BELOW-0", ["MANY-0", "MANY-1", "MANY-2"], "gone"]
LABELS = {"a", "below-0", "below-1", "many-0", "many-1", "many-2"}


def _live(path: Path, *, told: bool, fatal: int = 0, moment: str = "before") -> tuple[int | None, bool]:
    """Live until all has ended or the store fails (then None): number of transactions, and whether `go` was told."""
    try:
        with (
            FailingStore(path, fatal, written=moment == "after") as store,
            Engine(store, [parent, below_it], [note]) as engine,
        ):
            engine.start("parent", "top")
            if not told:
                engine.event("top", "go", '"gone"')
                told = True
            engine.finish()
            return store.transactions, told
    except StoreError:
        return None, told


def _check(path: Path) -> None:
    """Each instance completed, each thing is in its history once, and nothing is left to do."""
    with Store(path) as store:
        ended = dict(store.rows("SELECT id, output FROM instances"))
        assert json.loads(ended["top"]) == OUTPUT
        assert set(store.rows("SELECT status FROM instances")) == {(pb.ORCHESTRATION_STATUS_COMPLETED,)}
        for table in ("waiting", "activities", "alarms"):
            assert store.rows(f"SELECT * FROM {table}") == []  # noqa: S608 (the tables above)
        for instance in ended:
            events = [
                pb.HistoryEvent.FromString(event)
                for name, event in store.rows("SELECT instance, event FROM history ORDER BY position")
                if name == instance
            ]
            tasks = [e.taskCompleted.taskScheduledId for e in events if e.HasField("taskCompleted")]
            assert len(tasks) == len(set(tasks))
            for kind in ("executionStarted", "executionCompleted"):
                assert sum(e.HasField(kind) for e in events) == 1
    assert set(DONE) == LABELS


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    DONE.clear()


@pytest.mark.parametrize("moment", MOMENTS)
def test_engine_lost_at_any_transaction_goes_on_as_if_it_had_not_been(tmp_path: Path, moment: str) -> None:
    """For every transaction there is: an engine lost right before or after it completes each instance once."""
    undisturbed, _ = _live(tmp_path / "undisturbed.sqlite", told=False)
    _check(tmp_path / "undisturbed.sqlite")
    assert undisturbed
    assert undisturbed > 15
    for number in range(1, undisturbed + 1):
        path = tmp_path / f"{number}.sqlite"
        DONE.clear()
        _, told = _live(path, told=False, fatal=number, moment=moment)
        _live(path, told=told)
        _check(path)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("each", [3, 4, 7])
def test_engine_lost_again_and_again_gets_there(tmp_path: Path, each: int, moment: str) -> None:
    """An engine whose every life ends after a few transactions completes each instance once, in the end."""
    path, told, lives, ended = tmp_path / "state.sqlite", False, 0, None
    while ended is None:
        ended, told = _live(path, told=told, fatal=each, moment=moment)
        lives += 1
        assert lives < 100
    assert lives > 2
    _check(path)


def test_nothing_is_acknowledged_once_the_store_has_failed(tmp_path: Path) -> None:
    """After a failed transaction every further one fails too, and nobody is shown what isn't on disk."""
    with FailingStore(tmp_path / "state.sqlite", 1) as store, Engine(store, [parent, below_it], [note]) as engine:
        with pytest.raises(StoreError):
            engine.start("parent", "top")
        with pytest.raises(StoreError):
            engine.event("top", "go", "1")
        with pytest.raises(StoreError):
            engine.backend.GetInstance(pb.GetInstanceRequest(instanceId="top"), DirectCall())
        assert engine.lost.is_set()
    with Store(tmp_path / "state.sqlite") as left:
        assert left.rows("SELECT id FROM instances") == []


def test_history_is_appended_and_never_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a transaction writes doesn't grow with the history before it."""
    written: list[int] = []

    def count(store: Store, statements: Any) -> None:
        listed = list(statements)
        written.append(sum("INTO history" in sql for sql, _ in listed))
        write(store, listed)

    def long(context: OrchestrationContext, _: Any) -> Steps:
        for _number in range(40):
            yield context.call_activity(note, input="again")

    write = Store.write
    monkeypatch.setattr(Store, "write", count)
    with Store(tmp_path / "state.sqlite") as store, Engine(store, [long], [note]) as engine:
        engine.start("long", "one")
        engine.finish()
        (total,) = store.rows("SELECT count(*) FROM history")
    assert total == (sum(written),)
    assert max(written) < 10


def test_second_host_ends_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file belongs to one process; another one waits a little, then is told who to stop or what to set."""
    path = tmp_path / "state.sqlite"
    hold = f"from local.host.store import Store; from pathlib import Path; Store(Path({str(path)!r})); print(); input()"
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        monkeypatch.setattr(store_module, "_PATIENCE", 0.3)
        with pytest.raises(
            StoreError, match=f"^{path}: another host runs with it: stop that one, or .*LOCAL_HOST_DATA$"
        ):
            Store(path)
        other.kill()
    Store(path).close()


def test_restart_waits_for_the_old_process_to_end(tmp_path: Path) -> None:
    """A host that is started while the one before it still ends gets the file as soon as that one is gone."""
    path = tmp_path / "state.sqlite"
    hold = f"from local.host.store import Store; from pathlib import Path; Store(Path({str(path)!r})); print(); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ending = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {other.pid}"])
        Store(path).close()
        assert ending.wait() == 0


def _text(path: Path) -> None:
    path.write_text("notes of somebody\n" * 100)


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()


def _newer(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 7")
    other.close()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_text, "file is not a database"),
        (_foreign, "is another program's database"),
        (_newer, r"was written by another version of this host \(schema 7, this one has 1\)"),
    ],
)
def test_file_that_is_not_ours_is_left_alone(tmp_path: Path, make: Any, problem: str) -> None:
    """What can't be read is named, with what to do, and not a byte of it is changed."""
    path = tmp_path / "state.sqlite"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"^{path} .*{problem}.*move it away .* LOCAL_HOST_DATA"):
        Store(path)
    assert path.read_bytes() == before


def test_file_with_a_damaged_part_is_named(tmp_path: Path) -> None:
    """A history without its instance is no state to go on with."""
    path = tmp_path / "state.sqlite"
    with Store(path) as store:
        store.write([("INSERT INTO history VALUES ('lost', 0, x'00')", ())])
    with Store(path) as store, pytest.raises(StoreError, match=f"^{path} is damaged"):
        Engine(store, [], [])


def test_file_is_of_one_hub_and_one_account(tmp_path: Path) -> None:
    """Another hub, account or endpoint is another file; another key of the same account is not."""
    first = "AccountName=one;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/one"

    def named(hub: str = "Hub", **settings: str) -> Path:
        return state_file(tmp_path, hub, settings)

    same = named(AzureWebJobsStorage=first)
    assert same == named(AzureWebJobsStorage=first.replace("a2V5", "bmV3"), Other="x")
    others = {
        named("Other", AzureWebJobsStorage=first),
        named(AzureWebJobsStorage=first.replace("=one", "=two")),
        named(AzureWebJobsStorage=first.replace(":1/", ":2/")),
        named(AzureWebJobsStorage__blobServiceUri="https://one.blob.core.windows.net"),
        named(AzureWebJobsStorage__accountName="one"),
        named(),
    }
    assert len(others | {same}) == 7
    assert {path.parent for path in others} == {tmp_path}
