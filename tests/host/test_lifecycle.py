"""What happens when the host or the app's process dies, pauses, can't start or is told to stop."""

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.processes import ProcessError
from tests.host.hosting import RunningHost, exists, wait_gone

type MakeHost = Callable[..., RunningHost]


def _kill_worker(host: RunningHost) -> int:
    pid = host.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_host_and_worker(make_host: MakeHost, number: int) -> None:
    """SIGTERM and SIGINT end the host with code 0, and no worker is left, busy as it may be."""
    host = make_host().start()
    worker = host.worker_pid
    assert worker is not None
    host.begin("steps", ["pause"])
    host.wait_notes("step", 1)
    os.kill(host.process.pid, number)
    assert host.process.wait(timeout=20) == 0
    assert not exists(worker)


def test_worker_ends_with_a_killed_host(make_host: MakeHost) -> None:
    """A host that is killed leaves no worker behind, even one whose threads are busy."""
    host = make_host().start()
    worker = host.worker_pid
    assert worker is not None
    host.begin("steps", ["pause"])
    host.wait_notes("step", 1)
    host.process.kill()
    wait_gone(worker)


def test_broken_app_is_an_error_at_start(make_host: MakeHost) -> None:
    """An app that can't be imported ends the host with a non-zero code and the app's own error."""
    host = make_host(SAMPLE_BROKEN="1")
    with pytest.raises(ProcessError, match="the sample app is broken on purpose"):
        host.start()
    assert host.process.returncode == 1


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("SAMPLE_STORAGE", "", "SAMPLE_STORAGE has no connection string"),
        ("LOCAL_HOST_LOG_LEVEL", "loud", "expected one of"),
        ("AzureFunctionsJobHost__extensions__queues__visibilityTimeout", "soon", "not a time span"),
    ],
)
def test_wrong_setting_is_named(make_host: MakeHost, setting: str, value: str, message: str) -> None:
    """A setting that can't work stops the start with a sentence."""
    with pytest.raises(ProcessError, match=message):
        make_host(**{setting: value}).start()


def test_killed_worker_is_replaced_and_its_activity_repeated(make_host: MakeHost) -> None:
    """An activity that was running when the worker was killed runs again in the next one; the rest goes on."""
    host = make_host().start()
    instance = host.begin("steps", ["before", "pause", "after"])
    host.wait_notes("step", 1, label="pause")
    killed = _kill_worker(host)
    assert host.wait_status(instance)["output"] == ["before:1", "pause:2", "after:1"]
    assert host.worker_pid not in {killed, None}
    first, second = host.notes("step")[1:3]
    assert (first["pid"], second["pid"]) == (killed, host.worker_pid)


def test_app_that_breaks_later_is_tried_again(make_host: MakeHost) -> None:
    """An app that can't be loaded after its worker died is loaded again and again, until it works."""
    host = make_host().start()
    broken = host.folder / "broken"
    broken.touch()
    _kill_worker(host)
    host.process.wait_output("could not be loaded again: RuntimeError: the sample app is broken on purpose")
    assert host.worker_pid is None
    broken.unlink()
    assert host.http.get("/api/greet/me").status_code == 200


def test_idle_worker_that_dies_is_replaced(make_host: MakeHost) -> None:
    """A worker that is killed while it does nothing is replaced without anybody asking."""
    host = make_host().start()
    killed = _kill_worker(host)
    host.process.wait_for(lambda: host.worker_pid not in {killed, None}, "another worker is ready")


def test_app_that_ends_while_it_loads_is_an_error_at_start(make_host: MakeHost) -> None:
    """An app that ends its process while it is imported ends the host with a sentence."""
    with pytest.raises(ProcessError, match="the worker process ended while it loaded the app"):
        make_host(SAMPLE_BROKEN="ends").start()


def test_app_that_dies_at_once_is_not_started_in_a_tight_loop(make_host: MakeHost) -> None:
    """After a few quick deaths in a row there are pauses before another start; once it lives, calls are served."""
    host = make_host().start()
    (host.folder / "dies").touch()
    _kill_worker(host)
    host.process.wait_output("starting another in 1 s")
    (host.folder / "dies").unlink()
    assert host.http.get("/api/greet/me").status_code == 200


def test_request_in_a_killed_worker_is_502(make_host: MakeHost) -> None:
    """An HTTP call that the worker took with it is 502, and the next call is served by its successor."""
    host = make_host().start()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(host.http.get, "/api/hang")
        host.wait_notes("hang", 1)
        _kill_worker(host)
        assert hanging.result().status_code == 502
    assert host.http.get("/api/greet/me").status_code == 200


def test_lease_that_runs_out_is_given_to_another(make_host: MakeHost) -> None:
    """A paused attempt is overtaken by a second one when its lease ends; its own late completion changes nothing."""
    host = make_host(LOCAL_HOST_LEASE_SECONDS="2").start()
    instance = host.begin("steps", ["pause", "after"])
    host.wait_notes("step", 2, label="pause")
    assert host.wait_status(instance)["output"] == ["pause:2", "after:1"]
    (host.folder / "gate-pause").touch()
    host.process.wait_output("a late completion")
    assert host.status(instance)["output"] == ["pause:2", "after:1"]
    store = host.http.get("/admin/local/durable-store").json()
    (stored,) = [entry for entry in store["instances"] if entry["id"] == instance]
    assert [event["taskCompleted"]["result"] for event in stored["history"] if "taskCompleted" in event] == [
        '"pause:2"',
        '"after:1"',
    ]
    assert stored["undelivered"] == []


def test_late_result_of_a_replaced_run_is_ignored(make_host: MakeHost) -> None:
    """An activity of a terminated run that ends during the next run of the same id doesn't reach that one."""
    host = make_host().start()
    host.begin("steps", ["pause-old"], "same")
    host.wait_notes("step", 1)
    host.http.post("/runtime/webhooks/durabletask/instances/same/terminate")
    host.wait_status("same", "Terminated")
    host.begin("steps", ["pause-new"], "same")
    host.wait_notes("step", 1, label="pause-new")
    (host.folder / "gate-pause-old").touch()
    host.process.wait_output("a late result for same is ignored")
    (host.folder / "gate-pause-new").touch()
    assert host.wait_status("same")["output"] == ["pause-new:1"]


@pytest.mark.parametrize(("at", "executions"), [("start", 1), ("end", 2)])
def test_kill_file_kills_at_the_exact_place(make_host: MakeHost, at: str, executions: int) -> None:
    """The worker dies before the function, or after it and before its report; once; and the run completes."""
    host = make_host([{"activity": "step", "at": at, "occurrence": 2}]).start()
    instance = host.begin("steps", ["first", "second"])
    outcome = host.wait_status(instance)["output"]
    assert outcome == ["first:1", f"second:{executions}"]
    assert len([note for note in host.notes("step") if note["label"] == "second"]) == executions
    assert json.loads(host.faults.read_text()) == []
    assert host.process.output().count("Worker process started") == 2


def test_kill_file_can_pause_instead(make_host: MakeHost, tmp_path: Path) -> None:
    """An entry with `until` holds the execution until that file exists."""
    gate = tmp_path / "open"
    host = make_host([{"activity": "step", "at": "end", "until": str(gate)}]).start()
    instance = host.begin("steps", ["held"])
    host.wait_notes("step", 1)
    host.process.wait_for(lambda: json.loads(host.faults.read_text()) == [], "the pause has begun")
    assert host.status(instance)["runtimeStatus"] == "Running"
    gate.touch()
    assert host.wait_status(instance)["output"] == ["held:1"]


def test_twice_runs_every_activity_twice(make_host: MakeHost) -> None:
    """With the switch on, each activity's function runs two times and the second result counts."""
    host = make_host(LOCAL_HOST_TWICE="1").start()
    assert host.wait_status(host.begin("steps", ["a", "b"]))["output"] == ["a:2", "b:2"]
    assert [note["label"] for note in host.notes("step")] == ["a", "a", "b", "b"]


def test_log_level_of_the_app(make_host: MakeHost, host: RunningHost) -> None:
    """The app's lines from INFO on are passed through; at Debug all of them, other libraries' too."""
    host.wait_status(host.begin("steps", ["quiet"]))
    assert "INFO sample: info line of quiet" in host.process.output()
    assert "debug line" not in host.process.output()
    loud = make_host(LOCAL_HOST_LOG_LEVEL="Debug").start()
    loud.wait_status(loud.begin("steps", ["loud"]))
    assert "DEBUG sample: debug line of loud" in loud.process.output()
    assert "DEBUG azure.functions" in loud.process.output()
