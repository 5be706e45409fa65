"""The durable HTTP management API and the durable client, through a running host."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.host.hosting import DURABLE, RunningHost


def test_start_answers_with_links_that_work(host: RunningHost) -> None:
    """A start is 202 with the management links; the status link carries a key and leads to the result."""
    response = host.http.post(f"{DURABLE}/orchestrators/steps/linked", json=["a", "b"])
    links = response.json()
    assert (response.status_code, links["id"], response.headers["retry-after"]) == (202, "linked", "10")
    assert response.headers["location"] == links["statusQueryGetUri"]
    assert "code=" in urlsplit(links["statusQueryGetUri"]).query
    host.wait_status("linked")
    status = host.http.get(links["statusQueryGetUri"])
    assert status.status_code == 200
    assert status.json()["output"] == ["a:1", "b:1"]
    assert status.json()["customStatus"] == {"done": 2}
    assert status.json()["input"] == ["a", "b"]
    assert set(links) == {
        "id",
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    }


def test_client_of_a_function_starts_orchestrations(host: RunningHost) -> None:
    """The durable client binding of an HTTP function works, and its links are this host's."""
    response = host.http.post("/api/begin/steps/by-client", json=["c"])
    assert response.status_code == 202
    host.wait_status("by-client")
    assert host.http.get(response.headers["location"]).json()["output"] == ["c:1"]


def test_client_of_an_activity(host: RunningHost) -> None:
    """An activity may have a durable client too."""
    assert host.wait_status(host.begin("look"))["output"] == "look"


def test_wrong_starts_are_refused(host: RunningHost) -> None:
    """Bad JSON and an unknown orchestrator are 400."""
    assert host.http.post(f"{DURABLE}/orchestrators/steps", content="{").status_code == 400
    assert host.http.post(f"{DURABLE}/orchestrators/step", json=[]).status_code == 400


def test_status_of_unknown_instance_is_404(host: RunningHost) -> None:
    """Nothing that is addressed to an unknown id is accepted; restart says 400, as the real API does."""
    assert host.http.get(f"{DURABLE}/instances/nobody").status_code == 404
    for operation in ("terminate", "suspend", "resume", "raiseEvent/go"):
        assert host.http.post(f"{DURABLE}/instances/nobody/{operation}", json={}).status_code == 404
    assert host.http.post(f"{DURABLE}/instances/nobody/restart").status_code == 400


def test_events_reach_a_waiting_instance(host: RunningHost) -> None:
    """An event is 202 and wakes the instance; 400 unless it is JSON; 410 once the instance has ended."""
    instance = host.begin("wait")
    running = host.wait_status(instance, "Running")
    assert running["output"] is None
    assert host.http.get(f"{DURABLE}/instances/{instance}").status_code == 202
    event = f"{DURABLE}/instances/{instance}/raiseEvent/go"
    assert host.http.post(event, content="text", headers={"content-type": "text/plain"}).status_code == 400
    bad = host.http.post(event, content="{", headers={"content-type": "application/json"})
    assert bad.status_code == 400
    assert host.http.post(event, json={"by": "me"}).status_code == 202
    assert host.wait_status(instance)["output"] == {"by": "me"}
    assert host.http.post(event, json={}).status_code == 410


def test_terminate_ends_with_its_reason(host: RunningHost) -> None:
    """Terminate is 202, the reason is the output; a second one is 410."""
    instance = host.begin("wait")
    end = f"{DURABLE}/instances/{instance}/terminate?reason=enough"
    assert host.http.post(end).status_code == 202
    assert host.wait_status(instance, "Terminated")["output"] == "enough"
    assert host.http.post(end).status_code == 410


def test_suspended_instance_waits_for_resume(host: RunningHost) -> None:
    """A suspended instance is still 202 and takes its event after resume."""
    instance = host.begin("wait")
    assert host.http.post(f"{DURABLE}/instances/{instance}/suspend").status_code == 202
    host.wait_status(instance, "Suspended")
    assert host.http.get(f"{DURABLE}/instances/{instance}").status_code == 202
    assert host.http.post(f"{DURABLE}/instances/{instance}/raiseEvent/go", json=1).status_code == 202
    assert host.http.post(f"{DURABLE}/instances/{instance}/resume").status_code == 202
    assert host.wait_status(instance)["output"] == 1


def test_running_id_is_taken_and_a_finished_one_is_replaced(host: RunningHost) -> None:
    """A second start is 409 while the first runs and replaces it silently when it has ended."""
    host.begin("wait", instance_id="reused")
    host.wait_status("reused", "Running")
    assert host.http.post(f"{DURABLE}/orchestrators/wait/reused").status_code == 409
    host.http.post(f"{DURABLE}/instances/reused/terminate")
    host.wait_status("reused", "Terminated")
    host.begin("steps", ["again"], "reused")
    assert host.wait_status("reused")["output"] == ["again:1"]


def test_restart_takes_a_new_id_by_default(host: RunningHost) -> None:
    """A restart repeats the input under a new id, even of a running instance; under its own id only when ended."""
    instance = host.begin("wait", {"first": "input"})
    host.wait_status(instance, "Running")
    again = host.http.post(f"{DURABLE}/instances/{instance}/restart")
    assert again.status_code == 202
    assert again.json()["id"] != instance
    assert host.wait_status(again.json()["id"], "Running")["input"] == {"first": "input"}
    same = f"{DURABLE}/instances/{instance}/restart?restartWithNewInstanceId=false"
    assert host.http.post(same).status_code == 409
    host.http.post(f"{DURABLE}/instances/{instance}/raiseEvent/go", json=1)
    host.wait_status(instance)
    assert host.http.post(same).json()["id"] == instance
    host.wait_status(instance, "Running")


def test_instances_are_listed_by_status(host: RunningHost) -> None:
    """The list filters by status, prefix and time, hides inputs if asked, and pages by a continuation token."""
    for number in range(3):
        host.wait_status(host.begin("steps", [f"l{number}"], f"listed-{number}"))
    query = {"runtimeStatus": "Completed,Failed", "instanceIdPrefix": "listed-", "top": "2"}
    first = host.http.get(f"{DURABLE}/instances", params={**query, "showInput": "false"})
    assert [entry["instanceId"] for entry in first.json()] == ["listed-0", "listed-1"]
    assert first.json()[0]["input"] is None
    token = {"x-ms-continuation-token": first.headers["x-ms-continuation-token"]}
    second = host.http.get(f"{DURABLE}/instances", params=query, headers=token)
    assert [entry["input"] for entry in second.json()] == [["l2"]]
    running = host.http.get(f"{DURABLE}/instances", params={**query, "runtimeStatus": "Running"})
    assert running.json() == []
    past = {**query, "createdTimeTo": "2020-01-01T00:00:00Z"}
    assert host.http.get(f"{DURABLE}/instances", params=past).json() == []
    since = {**query, "createdTimeFrom": "2020-01-01T00:00:00Z", "top": "nonsense"}
    assert len(host.http.get(f"{DURABLE}/instances", params=since).json()) == 3
    # The real API reads status names with their capitals, and takes no known name for no filter.
    unknown = {**query, "runtimeStatus": "running", "top": "3"}
    assert len(host.http.get(f"{DURABLE}/Instances/", params=unknown).json()) == 3


def test_purged_instance_is_gone(host: RunningHost) -> None:
    """Purging is refused with 412 while an instance runs, and forgets it when it has ended."""
    instance = host.begin("wait")
    host.wait_status(instance, "Running")
    assert host.http.delete(f"{DURABLE}/instances/{instance}").status_code == 412
    host.http.post(f"{DURABLE}/instances/{instance}/terminate")
    host.wait_status(instance, "Terminated")
    assert host.http.delete(f"{DURABLE}/instances/{instance}").json() == {"instancesDeleted": 1}
    assert host.http.get(f"{DURABLE}/instances/{instance}").status_code == 404


def test_history_is_shown_on_demand(host: RunningHost) -> None:
    """The history names what happened, with results only if asked for."""
    instance = host.begin("steps", ["h"])
    host.wait_status(instance)
    path = f"{DURABLE}/instances/{instance}?showHistory=true"
    events = host.http.get(path).json()["historyEvents"]
    assert "TaskScheduled" in [event["EventType"] for event in events]
    assert not any("result" in event for event in events)
    with_output = host.http.get(f"{path}&showHistoryOutput=true").json()["historyEvents"]
    assert "h:1" in [event.get("result") for event in with_output]


def test_child_knows_its_parent(host: RunningHost) -> None:
    """A sub-orchestration sees its parent's id, and its result reaches the parent."""
    assert host.wait_status(host.begin("family", None, "mother"))["output"] == ["mother", "mother"]


def test_default_version_is_given_to_new_instances(host: RunningHost) -> None:
    """An instance started without a version has host.json's default, a restarted one too."""
    host.wait_status(host.begin("version", None, "versioned"))
    assert host.status("versioned")["output"] == "1.0"
    again = host.http.post(f"{DURABLE}/instances/versioned/restart").json()["id"]
    assert host.wait_status(again)["output"] == "1.0"


def test_continue_as_new_keeps_events(host: RunningHost) -> None:
    """An event that comes while an instance continues as new several times is not lost."""
    instance = host.begin("count_down", 5)
    assert host.http.post(f"{DURABLE}/instances/{instance}/raiseEvent/go", json="kept").status_code == 202
    assert host.wait_status(instance)["output"] == "kept"


def test_failure_has_its_message(host: RunningHost) -> None:
    """An unhandled exception makes the instance Failed, 200 with the message, 500 only if asked for."""
    instance = host.begin("fail", {"why": "reasons"})
    assert "exploded with reasons" in host.wait_status(instance, "Failed")["output"]
    path = f"{DURABLE}/instances/{instance}"
    assert host.http.get(path).status_code == 200
    assert host.http.get(f"{path}?returnInternalServerErrorOnFailure=true").status_code == 500


@pytest.mark.parametrize("canary", ["c4nary-in-input", "c4nary-in-result", "c4nary-in-failure", "c4nary-in-event"])
def test_durable_store_shows_everything(host: RunningHost, canary: str) -> None:
    """Inputs, results, failures and undelivered events of any instance are in the dump as they are."""
    if canary.endswith("failure"):
        host.wait_status(host.begin("fail", {"why": canary}), "Failed")
    elif canary.endswith("event"):
        instance = host.begin("wait")
        host.wait_status(instance, "Running")
        host.http.post(f"{DURABLE}/instances/{instance}/raiseEvent/unheard", json=canary)
    else:
        host.wait_status(host.begin("steps", [canary]))
    assert canary in host.http.get("/admin/local/durable-store").text


def test_many_are_purged_by_time_and_status(make_host: Callable[..., RunningHost]) -> None:
    """Purging by filter takes what has ended, of the statuses named; 404 if that is nothing, 400 without a time."""
    host = make_host().start()
    for number in range(2):
        host.wait_status(host.begin("steps", [], f"done-{number}"))
    host.wait_status(host.begin("fail", {"why": "purge"}, "failed"), "Failed")
    host.wait_status(host.begin("wait", None, "running"), "Running")
    path, since = f"{DURABLE}/instances", {"createdTimeFrom": "2020-01-01"}
    assert host.http.delete(path, params={"runtimeStatus": "Completed"}).status_code == 400
    assert host.http.delete(path, params={**since, "createdTimeTo": "2020-01-02"}).status_code == 404
    assert host.http.delete(path, params={**since, "runtimeStatus": "Terminated,Failed"}).json() == {
        "instancesDeleted": 1
    }
    assert host.http.delete(path, params=since).json() == {"instancesDeleted": 2}
    assert host.http.delete(path, params=since).status_code == 404
    assert [entry["instanceId"] for entry in host.http.get(path).json()] == ["running"]


def test_rewound_instance_goes_on_from_what_failed(host: RunningHost) -> None:
    """A failed instance, children included, runs what failed again and keeps what had succeeded; others are refused."""
    instance = host.begin("fail_below", {"why": "rewind"})
    path = f"{DURABLE}/instances/{instance}/rewind?reason=fixed"
    host.wait_status(instance, "Failed")
    host.folder.joinpath("defused-rewind").touch()
    assert host.http.post(path).status_code == 202
    assert host.wait_status(instance)["output"] == ["before:1", "defused"]
    assert host.http.post(path).status_code == 410
    assert host.http.post(f"{DURABLE}/instances/nobody/rewind").status_code == 404
    running = host.begin("wait")
    host.wait_status(running, "Running")
    assert host.http.post(f"{DURABLE}/instances/{running}/rewind").status_code == 400


def test_start_waits_for_the_end_if_asked(host: RunningHost) -> None:
    """With both times a start answers the output, a failure's status, or the links when the time is over."""
    path, times = f"{DURABLE}/orchestrators", {"timeout": "20", "pollingInterval": "0.05"}
    done = host.http.post(f"{path}/steps/waited", params=times, json=["w"])
    assert (done.status_code, done.json()) == (200, ["w:1"])
    again = host.http.post(f"{DURABLE}/instances/waited/restart", params=times)
    assert (again.status_code, again.json()) == (200, ["w:2"])
    failed = host.http.post(f"{path}/fail", params=times, json={"why": "waiting"})
    assert (failed.status_code, failed.json()["runtimeStatus"]) == (200, "Failed")
    over = host.http.post(f"{path}/wait", params={"timeout": "0.1", "pollingInterval": "0.1"})
    assert (over.status_code, "statusQueryGetUri" in over.json()) == (202, True)
    assert host.http.post(f"{path}/wait", params={"timeout": "1", "pollingInterval": "2"}).status_code == 400
    assert host.http.post(f"{path}/wait", params={"timeout": "1"}).status_code == 202


@pytest.mark.parametrize("instance", ["@steps@x", "a%3Fb", "a%23b", "a%01b", "x" * 257])
def test_ids_that_the_engine_would_not_take_are_refused(host: RunningHost, instance: str) -> None:
    """An id that looks like an entity's, has a character with a meaning in URLs, or is too long is 400."""
    assert host.http.post(f"{DURABLE}/orchestrators/steps/{instance}").status_code == 400


def test_what_the_api_does_not_have(host: RunningHost) -> None:
    """Unknown operations and methods are 404 as in the real API; entities are 501 and say so."""
    assert host.http.post(f"{DURABLE}/instances/some/explode").status_code == 404
    assert host.http.get(f"{DURABLE}/instances/some/terminate").status_code == 404
    assert host.http.put(f"{DURABLE}/orchestrators/steps").status_code == 404
    assert host.http.get(f"{DURABLE}/entities/counter/one").status_code == 501
    assert host.http.post(f"{DURABLE}/makePrimary").status_code == 200
