"""The durable HTTP management API against a description of it: every operation with every answer it lists."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.host.hosting import DURABLE, RunningHost

_CONTRACT = Path(__file__).parents[3] / "shared" / "contracts" / "durable-functions" / "http-management-api.json"
pytestmark = pytest.mark.skipif(not _CONTRACT.exists(), reason="the API's description is not here")

_STATUS = {
    *("name", "instanceId", "runtimeStatus", "input"),
    *("customStatus", "output", "createdTime", "lastUpdatedTime"),
}
_ONE = "/instances/{instanceId}"
# What is asked so that the answer has this status: {running}, {done} and {failed} are instances made for it.
_ASKED = {
    ("POST", "/orchestrators/{functionName}/{instanceId?}", "202"): "/orchestrators/steps",
    ("POST", "/orchestrators/{functionName}/{instanceId?}", "400"): "/orchestrators/nobody",
    ("GET", _ONE, "200"): "/instances/{done}",
    ("GET", _ONE, "202"): "/instances/{running}",
    ("GET", _ONE, "404"): "/instances/nobody",
    ("GET", _ONE, "500"): "/instances/{failed}?returnInternalServerErrorOnFailure=true",
    ("GET", "/instances", "200"): "/instances",
    ("DELETE", _ONE, "200"): "/instances/{done}",
    ("DELETE", _ONE, "404"): "/instances/nobody",
    ("DELETE", "/instances", "200"): "/instances?createdTimeFrom=2020-01-01",
    ("DELETE", "/instances", "404"): "/instances?createdTimeFrom=2020-01-01&createdTimeTo=2020-01-02",
    ("DELETE", "/instances", "400"): "/instances",
    ("POST", f"{_ONE}/raiseEvent/{{eventName}}", "202"): "/instances/{running}/raiseEvent/other",
    ("POST", f"{_ONE}/raiseEvent/{{eventName}}", "400"): "/instances/{running}/raiseEvent/no-json",
    ("POST", f"{_ONE}/raiseEvent/{{eventName}}", "404"): "/instances/nobody/raiseEvent/other",
    ("POST", f"{_ONE}/raiseEvent/{{eventName}}", "410"): "/instances/{done}/raiseEvent/other",
    **{
        ("POST", f"{_ONE}/{operation}", status): f"/instances/{instance}/{operation}?reason=asked"
        for operation in ("terminate", "suspend", "resume", "rewind")
        for status, instance in (
            ("202", "{failed}" if operation == "rewind" else "{running}"),
            ("404", "nobody"),
            ("410", "{done}"),
        )
    },
    ("POST", f"{_ONE}/restart", "202"): "/instances/{done}/restart",
    ("POST", f"{_ONE}/restart", "400"): "/instances/nobody/restart",
}


def _operations() -> list[dict[str, Any]]:
    contract: dict[str, Any] = json.loads(_CONTRACT.read_text())
    assert contract["base"] == DURABLE
    operations: list[dict[str, Any]] = contract["operations"]
    return operations


def _ask(host: RunningHost, method: str, path: str) -> httpx.Response:
    for name, orchestrator, status in (
        ("{running}", "wait", "Running"),
        ("{failed}", "fail", "Failed"),
        ("{done}", "steps", "Completed"),
    ):
        if name in path:
            instance = host.begin(orchestrator, {"why": "contract"} if orchestrator == "fail" else None)
            host.wait_status(instance, status)
            path = path.replace(name, instance)
    body = "{" if path.endswith("no-json") else "1" if method == "POST" else ""
    content = {"Content-Type": "application/json"}
    return host.http.request(method, f"{DURABLE}{path}", content=body, headers=content)


def test_every_operation_has_every_answer_of_its_description(make_host: Callable[..., RunningHost]) -> None:
    """Each status that the description lists for an operation is what the host answers in that case."""
    described = {(op["method"], op["path"], status) for op in _operations() for status in op["responses"]}
    assert described == set(_ASKED)
    host = make_host().start()
    answered = {key: str(_ask(host, key[0], path).status_code) for key, path in _ASKED.items()}
    assert answered == {key: key[2] for key in _ASKED}


def test_bodies_and_headers_are_as_described(host: RunningHost) -> None:
    """A status has exactly the properties described, in a list too; 202 says where to look and when."""
    (described,) = [operation["body"] for operation in _operations() if "body" in operation]
    assert {name for name in described if not name.endswith("?")} == _STATUS
    status = host.http.get(f"{DURABLE}/instances/{host.begin('wait')}")
    assert set(status.json()) == _STATUS
    assert (status.headers["retry-after"], "location" in status.headers) == ("5", True)
    assert all(set(entry) == _STATUS for entry in host.http.get(f"{DURABLE}/instances").json())
