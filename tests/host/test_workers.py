"""Several worker processes, and functions that take too long."""

import os
import signal
from collections.abc import Callable

import pytest

from local.processes import ProcessError
from tests.host.hosting import RunningHost, exists

type MakeHost = Callable[..., RunningHost]


@pytest.fixture(scope="module")
def pair(make_host: MakeHost) -> RunningHost:
    """A host with two worker processes."""
    return make_host(FUNCTIONS_WORKER_PROCESS_COUNT="2").start()


def _pids(host: RunningHost) -> set[int]:
    return set(host.http.get("/admin/host/status").json()["workerPids"])


def test_requests_go_to_the_workers_in_turn(pair: RunningHost) -> None:
    """Two requests in a row are answered by two processes, and these are all."""
    answered = [int(pair.http.get("/api/pid").text.split()[0]) for _ in range(4)]
    assert set(answered) == _pids(pair)
    assert answered[:2] == answered[2:]
    assert len(set(answered[:2])) == 2


def test_durable_work_is_spread(pair: RunningHost) -> None:
    """The activities of many instances are carried out by both processes, each once."""
    instances = [pair.begin("steps", [f"{number}-{step}" for step in range(3)]) for number in range(20)]
    for instance in instances:
        pair.wait_status(instance)
    notes = pair.notes("step")
    assert {note["pid"] for note in notes} == _pids(pair)
    assert len(notes) == 60


def test_one_worker_that_dies_leaves_the_other(pair: RunningHost) -> None:
    """While one process is gone the other serves; the missing one is replaced, and its activity repeated."""
    instance = pair.begin("steps", ["pause"])
    (paused,) = pair.wait_notes("step", 1, label="pause")
    os.kill(paused["pid"], signal.SIGKILL)
    pair.process.wait_for(lambda: paused["pid"] not in _pids(pair), "the host has noticed")
    assert [pair.http.get("/api/greet/me").status_code for _ in range(4)] == [200] * 4
    assert pair.wait_status(instance)["output"] == ["pause:2"]
    pair.process.wait_for(lambda: len(_pids(pair) - {paused["pid"]}) == 2, "there are two workers again")


def test_all_workers_end_with_the_host(make_host: MakeHost) -> None:
    """No process is left when the host stops."""
    host = make_host(FUNCTIONS_WORKER_PROCESS_COUNT="3").start()
    pids = _pids(host)
    assert len(pids) == 3
    host.process.stop()
    assert not [pid for pid in pids if exists(pid)]


@pytest.mark.parametrize("count", ["11", "many"])
def test_wrong_number_of_workers_is_refused(make_host: MakeHost, count: str) -> None:
    """More than ten, or no number, stops the start as in the real host."""
    with pytest.raises(ProcessError, match=r"FUNCTIONS_WORKER_PROCESS_COUNT .*: expected 1 to 10"):
        make_host(FUNCTIONS_WORKER_PROCESS_COUNT=count).start()


@pytest.fixture(scope="module")
def impatient(make_host: MakeHost) -> RunningHost:
    """A host whose functions may take three seconds."""
    return make_host(AzureFunctionsJobHost__functionTimeout="00:00:03").start()


def test_function_that_takes_too_long_ends_its_process(impatient: RunningHost) -> None:
    """After functionTimeout a request is 500, and another process takes over."""
    first = impatient.worker_pid
    assert impatient.http.get("/api/hang").status_code == 500
    assert "Timeout value of 3 seconds was exceeded by function: hang" in impatient.process.output()
    impatient.process.wait_for(lambda: impatient.worker_pid not in {first, None}, "another worker is ready")
    assert impatient.http.get("/api/greet/me").status_code == 200


def test_activity_that_takes_too_long_is_repeated(impatient: RunningHost) -> None:
    """As in the real host, an activity over the limit is neither failed nor lost: it runs again in the next process."""
    assert impatient.wait_status(impatient.begin("steps", ["pause"]))["output"] == ["pause:2"]
    impatient.process.wait_output("was exceeded by function: step")
