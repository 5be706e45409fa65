"""The host's own API under /admin, and functions that are disabled."""

from collections.abc import Callable

import pytest

from tests.host.hosting import DURABLE, RunningHost

type MakeHost = Callable[..., RunningHost]


def test_status_names_the_worker(host: RunningHost) -> None:
    """The status has the worker's pid, which was printed too, and counts the functions."""
    status = host.http.get("/admin/host/status").json()
    assert status["state"] == "Running"
    assert status["id"]
    assert status["processUptime"] > 0
    assert f"Worker process started (pid {status['workerPid']})" in host.process.output()
    assert len(host.http.get("/admin/functions").json()) == status["functions"]
    assert host.http.get("/admin/host/ping").status_code == 200


def test_functions_are_shown_with_their_bindings(host: RunningHost) -> None:
    """Each function is listed with a link to itself; its name is found without regard to case."""
    functions = {function["name"]: function for function in host.http.get("/admin/functions").json()}
    assert {"greet", "take", "nightly", "steps", "step"} <= set(functions)
    assert host.http.get(functions["nightly"]["href"]).json() == functions["nightly"]
    shown = host.http.get("/admin/functions/NIGHTLY").json()
    assert shown["config"]["bindings"][0]["schedule"] == "0 0 3 * * *"
    assert shown["isDisabled"] is False
    assert host.http.get("/admin/functions/nobody").status_code == 404
    assert host.http.get("/admin/functions/nightly/status").json() == {}
    assert host.http.get("/admin/functions/nobody/status").status_code == 404


def test_timer_fires_by_hand(host: RunningHost) -> None:
    """Posting to /admin/functions runs a timer's function, which isn't late."""
    assert host.http.post("/admin/functions/Nightly", json={}).status_code == 202
    assert host.wait_notes("timer", 1)[0]["late"] is False


def test_queue_function_runs_by_hand(host: RunningHost) -> None:
    """Posting an input to /admin/functions runs a queue function with it."""
    assert host.http.post("/admin/functions/take", json={"input": "by hand"}).status_code == 202
    host.wait_notes("message", 1, body="by hand", count=1)


def test_activity_runs_by_hand(host: RunningHost) -> None:
    """An activity's input is the JSON in the text."""
    assert host.http.post("/admin/functions/step", json={"input": '"by hand"'}).status_code == 202
    host.wait_notes("step", 1, label="by hand")


def test_what_cannot_run_by_hand_is_accepted_and_logged(host: RunningHost) -> None:
    """As in the real host an HTTP trigger is 202 and comes to nothing, which the log says."""
    assert host.http.post("/admin/functions/greet", json={}).status_code == 202
    assert "function greet can't be run by hand" in host.process.wait_output("a httpTrigger needs more than a text")


@pytest.mark.parametrize("body", ["", "no JSON", "[]", '{"input": {}}'])
def test_run_by_hand_wants_a_body(host: RunningHost, body: str) -> None:
    """Without an object whose input is a text nothing runs: 400; and an unknown function is 404."""
    assert host.http.post("/admin/functions/nightly", content=body).status_code == 400
    assert host.http.post("/admin/functions/unknown", json={}).status_code == 404


def test_disabled_functions_are_not_triggered(make_host: MakeHost) -> None:
    """A disabled function is no route, no timer, no activity; names without case, `__` for dots; by hand it runs."""
    off = {
        "AzureWebJobs.often.Disabled": "true",
        "AZUREWEBJOBS__GREET__DISABLED": "1",
        "AzureWebJobs.step.Disabled": "True",
    }
    host = make_host(SAMPLE_AT_START="1", **off, **{"AzureWebJobs.greet_me.Disabled": "false"}).start()
    assert "often: timerTrigger (disabled)" in host.process.output()
    assert host.http.get("/api/greet/bob").status_code == 404
    assert host.http.get("/api/greet/me").status_code == 200
    failed = host.wait_status(host.begin("steps", ["a"]), "Failed")
    assert "The function 'step' doesn't exist, is disabled" in failed["output"]
    assert host.notes("often") == []
    assert host.http.get("/admin/functions/often").json()["isDisabled"] is True
    assert host.http.post("/admin/functions/often", json={}).status_code == 202
    host.wait_notes("often", 1)


def test_disabled_orchestrator_cannot_be_started(make_host: MakeHost) -> None:
    """Starting a disabled orchestrator is refused like one that doesn't exist."""
    host = make_host(**{"AzureWebJobs.steps.Disabled": "1"}).start()
    assert host.http.post(f"{DURABLE}/orchestrators/steps").status_code == 400
