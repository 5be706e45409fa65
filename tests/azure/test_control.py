"""The control API: what it seeds, breaks, withholds and tells, from inside and from another process."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from local.azure.control import Control, RefusedError
from local.azure.tokens import Subject
from tests.azure.simulated import Answer, Simulated, simulated

DOCUMENT: dict[str, Any] = {
    "canary": "CANARY",
    "identities": {"rekey": {"app_roles": ["Application.ReadWrite.OwnedBy"]}},
    "applications": {"app": {"owners": ["rekey"], "passwords": [{"days": 20}]}},
}
PATIENCE = 100
"""How often a condition is looked at, a tenth of a second apart, before a test gives up."""


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with one application."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


async def control(azure: Simulated, method: str, path: str, body: Any = None) -> Any:
    """Ask the control API and return what it answers."""
    answer = await azure.call(method, f"{azure.control}/_sim/{path}", body=body)
    assert answer.status == 200, answer.body
    return answer.body


async def sign_in(azure: Simulated) -> Answer:
    """Ask for a token with the seeded password."""
    app = azure.cloud.directory.application("app")
    form = {
        "grant_type": "client_credentials",
        "client_id": app.app_id,
        "client_secret": app.passwords[0].value,
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"{azure.cloud.url('login')}/{azure.cloud.tenant}/oauth2/v2.0/token?sig=CANARY"
    async with azure.session.post(url, data=form) as response:
        return Answer(response.status, await response.text(), response.headers)


def graph_token(azure: Simulated) -> str:
    """Return a token for Graph with the role to write to what the identity owns."""
    identity = azure.cloud.directory.identity("rekey")
    audience = azure.cloud.url("graph")
    subject = Subject(azure.cloud.tenant, identity.client_id, identity.object_id, audience, identity.app_roles)
    return azure.cloud.tokens.issue(subject, 3600)


async def add_password(azure: Simulated) -> Answer:
    """Add a password to the application."""
    app = azure.cloud.directory.application("app")
    url = f"{azure.cloud.url('graph')}/v1.0/applications/{app.object_id}/addPassword"
    return await azure.call("POST", url, token=graph_token(azure), body={})


async def until(azure: Simulated, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the first fault is as wanted."""
    for _ in range(PATIENCE):
        if holds((await control(azure, "GET", "faults"))["faults"][0]):
            return
        await asyncio.sleep(0.1)
    pytest.fail("the fault never got there")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "expected an object"),
        ({"colour": 1}, "unknown fields ['colour']"),
        ({"canary": "has space"}, "canary: got 'has space'"),
        ({"tenant": "contoso"}, "tenant"),
        ({"applications": {"a": {"passwords": [{"days": "x"}]}}}, "applications.a.passwords.0.days: got 'x'"),
        ({"applications": {"a": {"owners": ["nobody"]}}}, "applications.a.owners: got 'nobody'"),
        ({"mail": {"m": {"callers": ["nobody"]}}}, "'nobody'"),
        ({"policy": {"isEnabled": "yes"}}, "policy.isEnabled: got 'yes'"),
    ],
)
async def test_a_wrong_seed_says_where(azure: Simulated, document: Any, sentence: str) -> None:
    """A seed that can't be taken is a 400 whose sentence names field, value and expectation."""
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body=document)
    assert answer.status == 400
    assert sentence in answer.body["error"]


async def test_seeding_adds(azure: Simulated) -> None:
    """A second seed adds to the first by name and tells ids, never a password."""
    first = await control(azure, "POST", "seed", {})
    second = await control(azure, "POST", "seed", {"applications": {"app": {"passwords": [{}]}, "new": {}}})
    assert second["applications"]["app"]["client_id"] == first["applications"]["app"]["client_id"]
    assert len(second["applications"]["app"]["passwords"]) == 2
    assert "new" in second["applications"]
    assert azure.cloud.directory.password_value("app") not in str(second)


async def test_requests_are_logged_without_secrets(azure: Simulated) -> None:
    """The log has each request with its outcome and connection, and neither body nor token nor secret parameter."""
    await sign_in(azure)
    await azure.call("GET", f"{azure.cloud.url('graph')}/v1.0/applications", token=azure.token("rekey", "x"))
    log = await control(azure, "GET", "requests")
    entra, graph = log["requests"]
    assert (entra["service"], entra["method"], entra["host"], entra["status"]) == (
        "entra",
        "POST",
        "login.localhost",
        200,
    )
    assert (graph["service"], graph["status"]) == ("graph", 401)
    assert graph["caller"] == azure.cloud.directory.identity("rekey").client_id
    assert "CANARY" not in str(log)
    assert (await control(azure, "GET", f"requests?since={entra['n']}"))["requests"] == [graph]
    await control(azure, "DELETE", "requests")
    assert (await control(azure, "GET", "requests"))["requests"] == []


async def test_connections_are_told_apart(azure: Simulated) -> None:
    """Requests over one connection carry one address, so that handshakes can be counted."""
    for _ in range(3):
        await sign_in(azure)
    log = (await control(azure, "GET", "requests"))["requests"]
    assert len({entry["connection"] for entry in log}) == 1


@pytest.mark.parametrize(("retry_after", "header"), [(7, "7"), (None, None)])
async def test_throttling_fault(azure: Simulated, retry_after: int | None, header: str | None) -> None:
    """A 429 has the Retry-After that was asked for, or none, and is over when counted down."""
    await control(azure, "POST", "faults", {"service": "entra", "status": 429, "retry_after": retry_after})
    refused = await sign_in(azure)
    assert (refused.status, refused.headers.get("Retry-After")) == (429, header)
    assert (await sign_in(azure)).status == 200


async def test_skip_count_and_path(azure: Simulated) -> None:
    """A fault lets the first ones through, strikes as often as said, and only where method and path match."""
    fault = {
        "service": "entra",
        "method": "post",
        "path": r"/oauth2/v2\.0/token$",
        "status": 503,
        "skip": 1,
        "count": 2,
    }
    await control(azure, "POST", "faults", fault)
    await azure.call("GET", f"{azure.cloud.url('login')}/common/discovery/instance")
    assert [(await sign_in(azure)).status for _ in range(4)] == [200, 503, 503, 200]
    assert (await control(azure, "GET", "faults"))["faults"][0]["hits"] == 2


async def test_a_fault_until_cleared(azure: Simulated) -> None:
    """Without a count a fault goes on until it is cleared."""
    await control(azure, "POST", "faults", {"service": "entra", "status": 500, "count": None})
    assert [(await sign_in(azure)).status for _ in range(3)] == [500] * 3
    await control(azure, "DELETE", "faults")
    assert (await sign_in(azure)).status == 200


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
async def test_a_lost_answer(azure: Simulated, when: str, made: int) -> None:
    """With `after` the work was done although the answer is an error; with `before` it wasn't."""
    await control(azure, "POST", "faults", {"service": "graph", "status": 503, "when": when})
    app = azure.cloud.directory.application("app")
    refused = await add_password(azure)
    assert refused.status == 503
    assert len(app.passwords) == 1 + made


@pytest.mark.parametrize(("when", "made_while_held"), [("before", 0), ("after", 1)])
async def test_a_held_request(azure: Simulated, when: str, made_while_held: int) -> None:
    """A held request waits before or after its work until it is released, and then gets its own answer."""
    app = azure.cloud.directory.application("app")
    fault = await control(azure, "POST", "faults", {"service": "graph", "hold": True, "when": when})
    held = asyncio.create_task(add_password(azure))
    await until(azure, lambda told: told["held"] == 1)
    assert len(app.passwords) == 1 + made_while_held
    await control(azure, "POST", f"faults/{fault['id']}/release")
    assert (await held).status == 200
    assert len(app.passwords) == 2


async def test_a_held_request_whose_client_went(azure: Simulated) -> None:
    """A request that was held before its work is never done when its client went away meanwhile."""
    await control(azure, "POST", "faults", {"service": "graph", "hold": True})
    held = asyncio.create_task(add_password(azure))
    await until(azure, lambda told: told["held"] == 1)
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    await until(azure, lambda told: told["held"] == 0)
    await control(azure, "DELETE", "faults")
    assert len(azure.cloud.directory.application("app").passwords) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"service": "nothing", "status": 500},
        {"service": "entra", "status": 404},
        {"service": "entra"},
        {"service": "entra", "status": 500, "hold": True},
        {"service": "entra", "status": 500, "path": "("},
        {"service": "entra", "propagation": {"seconds": "soon"}},
        {"service": "graph", "limits": {"scale": 0}},
        {"service": "graph", "limits": {"seconds": 0}},
        {"service": "graph", "limits": {"window": 5}},
    ],
)
async def test_wrong_faults(azure: Simulated, fault: dict[str, Any]) -> None:
    """A fault that makes no sense is a 400 and isn't armed."""
    assert (await azure.call("POST", f"{azure.control}/_sim/faults", body=fault)).status == 400
    assert (await control(azure, "GET", "faults"))["faults"] == []


@pytest.mark.parametrize("step", [{"now": "2001-01-01"}, {"advance": -1}, {"advance": "soon"}, {}])
async def test_time_only_moves_ahead(azure: Simulated, step: dict[str, Any]) -> None:
    """The clock can't be moved back, and what isn't a time is refused."""
    assert (await azure.call("POST", f"{azure.control}/_sim/time", body=step)).status == 400


async def test_tokens_survive_a_moved_clock(azure: Simulated) -> None:
    """A token that a client holds still opens doors after the simulated clock was moved, the client's didn't move."""
    token = graph_token(azure)
    await control(azure, "POST", "time", {"advance": "P20D"})
    answer = await azure.call("GET", f"{azure.cloud.url('graph')}/v1.0/applications", token=token)
    assert answer.status == 200


async def test_answers_are_dated_by_the_simulated_clock(azure: Simulated) -> None:
    """The Date header, once, is the time by which everything in the answer is dated."""
    await control(azure, "POST", "time", {"advance": "P20D"})
    answer = await azure.call("GET", f"{azure.cloud.url('graph')}/v1.0/applications", token=graph_token(azure))
    said = parsedate_to_datetime(answer.headers["date"])
    assert abs(azure.cloud.clock.now() - said) < timedelta(minutes=5)


async def test_unknown_hosts(azure: Simulated) -> None:
    """A host that is no service is a 404; Azure Resource Manager asks for a token first, in its own words."""
    assert (await azure.call("GET", azure.cloud.url("vault") + "/x")).status == 404
    arm = await azure.call("GET", azure.cloud.url("management") + "/subscriptions")
    assert (arm.status, arm.body["error"]["code"]) == (401, "AuthenticationFailed")


@pytest.fixture
def child(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Control]]:
    """The simulated Azure as its own process, as the demo runs it."""
    command = [sys.executable, "-m", "local.azure", "--state-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        try:
            yield process, Control.of(tmp_path)
        finally:
            process.kill()


def test_another_process(child: tuple[subprocess.Popen[str], Control]) -> None:
    """The command says when it is ready, is steered by its client, and ends on SIGTERM."""
    process, azure = child
    assert azure.seed(DOCUMENT)["applications"]["app"]["passwords"][0]["key_id"]
    assert azure.state()["entra"]["applications"]["app"]["passwords"][0]["value"].startswith("CANARY")
    fault = azure.fault("entra", hold=True)
    azure.propagation("entra", seconds=1)
    azure.limits("graph", 0.5)
    assert [one["id"] for one in azure.faults()] == [fault]
    azure.release(fault)
    azure.clear_faults()
    assert azure.faults() == []
    before = azure.now()
    assert azure.advance("PT1H") > before
    assert (azure.outbox(), azure.requests()) == ([], [])
    azure.clear_requests()
    with pytest.raises(RefusedError, match="unknown fields"):
        azure.seed({"colour": "red"})
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
