"""The host, killed with all it started and started again, goes on where it was: nothing is lost, nothing done twice."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.processes import ProcessError
from tests.host.hosting import DURABLE, RunningHost

type MakeHost = Callable[..., RunningHost]
NAP = 4


def _post(host: RunningHost, instance: str, what: str, body: str | None = None) -> None:
    response = host.http.post(
        f"{DURABLE}/instances/{instance}/{what}", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 202, response.text


def _history(host: RunningHost, instance: str) -> Any:
    answer = host.http.get(f"{DURABLE}/instances/{instance}?showHistory=true&showHistoryOutput=true")
    return answer.json()["historyEvents"]


@pytest.fixture(scope="module")
def before(make_host: MakeHost) -> dict[str, Any]:
    """Bring instances into every state, kill everything, start again; what was seen before, and the host."""
    host = make_host().start()
    host.begin("steps", ["first", "second"], "finished")
    host.begin("fail", {"why": "it was told to"}, "failed")
    for name in ("event", "suspended", "terminated", "purged"):
        host.begin("wait", None, name)
    host.begin("above", None, "parent")
    host.begin("count_down", 3, "again")
    host.wait_status("finished")
    host.wait_status("failed", "Failed")
    _post(host, "terminated", "terminate")
    _post(host, "purged", "terminate")
    _post(host, "suspended", "suspend")
    for name, status in {"terminated": "Terminated", "purged": "Terminated", "suspended": "Suspended"}.items():
        host.wait_status(name, status)
    assert host.http.delete(f"{DURABLE}/instances/purged").status_code == 200
    host.wait_status("parent-below", "Running")
    host.begin("steps", ["before", "pause", "after"], "in-flight")
    host.wait_notes("step", 1, label="pause")
    assert host.http.post("/api/begin/steps/later?delay=6", content='["late"]').status_code == 202
    host.begin("nap", NAP, "nap")
    host.wait_status("nap", "Running")
    _post(host, "suspended", "raiseEvent/go", '"while suspended"')
    shown = {"host": host, "finished": host.status("finished"), "history": _history(host, "finished")}
    shown["failed"] = host.status("failed")
    _post(host, "event", "raiseEvent/go", '"right before"')
    host.kill()
    host.start()
    return shown


def test_found_is_told(before: dict[str, Any]) -> None:
    """The start says in one line how much there was to go on with."""
    told = [line for line in before["host"].process.output().splitlines() if line.startswith("Found in ")]
    assert len(told) == 1
    assert ".sqlite: " in told[0]
    assert "running" in told[0]
    assert "armed" in told[0]


def test_finished_instances_are_as_they_were(before: dict[str, Any]) -> None:
    """Output, failure, times and history of what had ended are kept; what was terminated or purged stays so."""
    host: RunningHost = before["host"]
    assert host.status("finished") == before["finished"]
    assert host.status("finished")["output"] == ["first:1", "second:1"]
    assert _history(host, "finished") == before["history"]
    assert host.status("failed") == before["failed"]
    assert host.status("terminated")["runtimeStatus"] == "Terminated"
    assert host.http.get(f"{DURABLE}/instances/purged").status_code == 404
    assert Counter(note["label"] for note in host.notes("step"))["first"] == 1


def test_activity_in_flight_is_repeated(before: dict[str, Any]) -> None:
    """An activity that was running is run again; those before it aren't, and those after it are."""
    assert before["host"].wait_status("in-flight")["output"] == ["before:1", "pause:2", "after:1"]


def test_event_raised_right_before_is_not_lost(before: dict[str, Any]) -> None:
    """An event that was answered with 202 reaches its instance, through a parent's child and continue-as-new too."""
    host: RunningHost = before["host"]
    assert host.wait_status("event")["output"] == "right before"
    _post(host, "parent-below", "raiseEvent/go", '"from above"')
    _post(host, "again", "raiseEvent/go", '"at last"')
    assert host.wait_status("parent")["output"] == ["above", "from above"]
    assert host.wait_status("again")["output"] == "at last"


def test_suspended_stays_suspended(before: dict[str, Any]) -> None:
    """A suspended instance stays so, keeps what it was told meanwhile, and goes on when it is resumed."""
    host: RunningHost = before["host"]
    assert host.status("suspended")["runtimeStatus"] == "Suspended"
    _post(host, "suspended", "resume")
    assert host.wait_status("suspended")["output"] == "while suspended"


def test_timer_fires_when_it_is_due(before: dict[str, Any]) -> None:
    """A durable timer that was running fires at its time, not from the start again, and a delayed start begins."""
    host: RunningHost = before["host"]
    began, over = map(datetime.fromisoformat, host.wait_status("nap")["output"])
    assert over - began >= timedelta(seconds=NAP)
    store = host.http.get("/admin/local/durable-store").json()["instances"]
    (history,) = [instance["history"] for instance in store if instance["id"] == "nap"]
    fired = [event["timerFired"]["fireAt"] for event in history if "timerFired" in event]
    assert [datetime.fromisoformat(moment) for moment in fired] == [began.replace(tzinfo=UTC) + timedelta(seconds=NAP)]
    assert host.wait_status("later")["output"] == ["late:1"]


def test_kills_at_any_moment(make_host: MakeHost) -> None:
    """A host that is killed again and again while instances run completes each with what it would have had."""
    chance = random.Random(3)  # noqa: S311 (to be repeated, not to be unpredictable)
    host = make_host().start()
    labels = [f"label-{number}" for number in range(60)]
    for number in range(4):
        host.begin("steps", labels, f"steps-{number}")
    host.begin("count_down", 20, "count")
    _post(host, "count", "raiseEvent/go", '"kept"')
    for _ in range(3):
        done = len(host.notes("step"))
        host.wait_notes("step", done + chance.randint(1, 50))
        host.kill()
        host.start()
    for number in range(4):
        output = host.wait_status(f"steps-{number}")["output"]
        assert [result.partition(":")[0] for result in output] == labels
        completed = [event for event in _history(host, f"steps-{number}") if event["EventType"] == "TaskCompleted"]
        assert len(completed) == len(labels)
    assert host.wait_status("count")["output"] == "kept"


def test_state_of_another_version_ends_the_start(make_host: MakeHost) -> None:
    """A file that can't be used ends the host with a sentence that names it, and it is left as it was."""
    host = make_host()
    folder = host.folder / "app" / ".durable"
    folder.mkdir()
    host.start()
    host.kill()
    (file,) = folder.glob("*.sqlite")
    file.write_bytes(b"not a database, but somebody's")
    for log in folder.glob("*.sqlite-*"):
        log.unlink()
    with pytest.raises(ProcessError, match=r"The host can't start: .*\.sqlite can't be used .*move it away"):
        host.start()
    assert file.read_bytes() == b"not a database, but somebody's"
