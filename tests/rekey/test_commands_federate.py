"""`python -m rekey federate|vend|federations|approve|revert`: what people see, what is asked for, and how each ends."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rekey.__main__ import main
from tests.rekey.answering import Api, answering

ID, INSTANCE = "0b7e9f3c-8f0a-4e4e-9d5e-0123456789ab", "federate.contoso.shop.deploy"
SCOPE = "/subscriptions/6b1b3a51-08a8-4dd9-8f4c-6b0f2d7ac0de/resourceGroups/shop"
STARTED = {"instance": INSTANCE, "started": True, "federation": f"/api/federations/{INSTANCE}"}
FEDERATE, PLAN = "POST /api/service-connections/federate", "POST /api/service-connections/plan"
PLANNED: dict[str, Any] = {
    "organization": "contoso",
    "project": "Shop",
    "connection": "deploy",
    "mode": "in-place",
    "target": "application",
    "instance": INSTANCE,
    "verdict": "federates",
    "why": "it is converted",
    "running": False,
    "new_name": "",
    "issuer": "https://login.microsoftonline.com/t/v2.0",
    "subject": "",
    "gap": {"possible": True, "why": "it shows neither"},
    "needs_approval": False,
    "soak_until": "2026-11-28T07:39:00Z",
    "revert_until": None,
    "steps": [
        {
            "step": "convert_connection",
            "does": "Converts it.",
            "touches": [{"plane": "azure-devops", "id": "1", "change": "signs in otherwise"}],
            "permissions": [],
        }
    ],
    "missing": [],
    "pipelines": [
        {"id": "7", "name": "night\x1b[31mly", "owner": "ada@contoso.example", "last_run": None, "known_by": "a run"}
    ],
    "managed": {"kv-shop/deploy": "stops rotating"},
    "remarks": ["A remark."],
}
STOPPED: dict[str, Any] = {
    **dict.fromkeys(("issuer", "subject", "new_name"), ""),
    **dict.fromkeys(("gap", "soak_until", "revert_until")),
    "verdict": "stops",
    "why": "no right",
    "steps": [],
    "pipelines": [],
    "managed": {},
    "missing": [
        {"step": "find_identity", "subject": "deploy", "code": "x", "message": "not owned", "what_to_do": "Own it."}
    ],
}
LISTED: dict[str, Any] = {
    "id": ID,
    "instance_id": INSTANCE,
    "organization": "contoso",
    "project": "Shop",
    "connection": "deploy",
    "new_name": "",
    "mode": "in-place",
    "state": "open",
    "result": "",
    "opened": "2026-11-21T07:39:00Z",
    "instance": {"id": INSTANCE, "runtime_status": "Running", "custom_status": {"step": "soak", "state": "waiting"}},
}
RECORD: dict[str, Any] = {
    "federation": {
        **{name: LISTED[name] for name in ("id", "organization", "project", "connection", "new_name", "mode")},
        "requested_by": "ada@contoso.example",
        "role": "",
        "scope": "",
        "new": {"issuer": "https://login.microsoftonline.com/t/v2.0", "revert_until": "2026-11-28T07:39:00Z"},
    },
    "opened": "2026-11-21T07:39:00Z",
    "closed": None,
    "state": "open",
    "result": "",
    "decisions": [{"kind": "approve", "by": "bob@contoso.example", "at": "2026-11-21T08:00:00Z"}],
    "entries": [{"step": "convert_connection", "outcome": "ok", "at": "2026-11-21T07:40:00Z", "detail": {"id": "1"}}],
}


@pytest.fixture(scope="module")
def running() -> Iterator[Api]:
    """Run an operator API."""
    with answering() as api:
        yield api


@pytest.fixture
def api(running: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Return an operator API that the environment names, and that was asked nothing yet."""
    running.answers.clear()
    running.asked.clear()
    monkeypatch.setenv("REKEY_API", running.origin)
    monkeypatch.delenv("REKEY_API_KEY", raising=False)
    return running


def test_one_connection_is_asked_for(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """What was given is in the body, and nothing else; a connection's name may have slashes."""
    api.answer(FEDERATE, STARTED, 202)
    api.answer(FEDERATE, {**STARTED, "started": False}, 202)
    assert main(["federate", "contoso/Shop/deploy/eu"]) == 0
    assert f"contoso/Shop/deploy/eu started as {INSTANCE}" in capsys.readouterr().out
    arguments = ("--mode", "side-by-side", "--target", "managed-identity", "--identity", SCOPE, "--name", "n")
    assert main(["federate", "contoso/Shop/deploy", *arguments, "--soak", "P2D"]) == 0
    assert "is on its way already" in capsys.readouterr().out
    first, second = (request.body for request in api.asked)
    assert first == {"organization": "contoso", "project": "Shop", "connection": "deploy/eu"}
    named = {"mode": "side-by-side", "target": "managed-identity", "identity": SCOPE, "name": "n", "soak": "P2D"}
    assert second == {"organization": "contoso", "project": "Shop", "connection": "deploy", **named}


def test_many_are_asked_for_by_a_filter(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has a line; one that could not be started makes the exit code."""
    one = {"organization": "contoso", "project": "Shop", "connection": "deploy", "instance": INSTANCE}
    found = [{**one, "outcome": "started"}, {**one, "connection": "web", "outcome": "not-started"}]
    api.answer(FEDERATE, {"dry_run": False, "matching": 3, "left_out": 1, "federations": found}, 202)
    assert main(["federate", "--project", "Shop", "--managed", "false", "--limit", "2", "--mode", "in-place"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("contoso/Shop/deploy started")
    assert "could not be started" in lines[1]
    assert lines[2] == "3 match, 1 of them beyond the limit"
    body = {"filter": {"project": "Shop", "managed": False}, "limit": 2, "dry_run": False, "mode": "in-place"}
    assert api.asked[0].body == body


@pytest.mark.parametrize(
    "arguments",
    [
        ["federate"],
        ["federate", "contoso/deploy"],
        ["federate", "contoso//deploy"],
        ["federate", "--project", "Shop"],
        ["federate", "--limit", "3"],
        ["federate", "contoso/Shop/deploy", "--project", "Shop"],
        ["federate", "contoso/Shop/deploy", "--dry-run"],
        ["federate", "--project", "Shop", "--limit", "3", "--name", "x"],
        ["vend", "contoso/new", "--scope", SCOPE, "--role", "Reader"],
    ],
)
def test_what_can_not_be_used_is_not_asked(api: Api, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """The exit code is 2, and what was expected is said."""
    assert main(arguments) == 2
    assert "expected" in capsys.readouterr().err
    assert api.asked == []


def test_a_plan_is_shown(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Steps, the gap, who uses it, what becomes of its secret; nothing moves the cursor."""
    api.answer(PLAN, {"plans": [PLANNED], "matching": 1, "left_out": 0})
    assert main(["federate", "contoso/Shop/deploy", "--plan"]) == 0
    out = capsys.readouterr().out
    assert "contoso/Shop/deploy would need no secret (in-place): it is converted" in out
    assert " 1. convert_connection: Converts it." in out
    assert "gap        possible: it shows neither" in out
    assert "way back   2026-11-28 07:39" in out
    assert "secret     kv-shop/deploy stops rotating" in out
    assert "night\\x1b[31mly" in out
    assert "A remark." in out


def test_what_stops_a_plan_is_told(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Of several plans one that stops makes the exit code; each problem says what to do."""
    api.answer(PLAN, {"plans": [PLANNED, {**PLANNED, **STOPPED, "running": True}], "matching": 9, "left_out": 7})
    assert main(["federate", "--organization", "contoso", "--limit", "2", "--plan"]) == 1
    out = capsys.readouterr().out
    assert "MISSING at find_identity, deploy: not owned\n  Own it." in out
    assert "on its way already" in out
    assert out.endswith("9 match, 7 of them beyond the limit\n")


def test_a_connection_is_vended(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Name, scope, role and twin are in the body; a refusal is told in the API's words."""
    api.answer("POST /api/service-connections/vend", STARTED, 202)
    api.answer("POST /api/service-connections/vend", {"error": {"message": "has to have a name"}}, 403)
    arguments = ["vend", "contoso/Shop/new", "--scope", SCOPE, "--role", "Reader", "--twin"]
    assert main(arguments) == 0
    body = {"organization": "contoso", "project": "Shop", "name": "new", "scope": SCOPE, "role": "Reader", "twin": True}
    assert api.asked[0].body == body
    assert main(arguments) == 1
    assert "has to have a name" in capsys.readouterr().err


def test_federations_are_listed(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """What each is at; one that nothing drives makes the exit code."""
    api.answer("GET /api/federations", {"federations": [LISTED]})
    api.answer("GET /api/federations", {"federations": [LISTED, {**LISTED, "instance": None}]})
    api.answer("GET /api/federations", {"federations": []})
    assert main(["federations"]) == 0
    assert "contoso/Shop/deploy  in-place  waiting  soak" in capsys.readouterr().out
    assert main(["federations", "--state", "all"]) == 1
    assert "not running" in capsys.readouterr().out
    assert main(["federations", "--state", "closed"]) == 0
    assert "no federation is closed" in capsys.readouterr().out
    asked = [request.path.removeprefix("/api/federations") for request in api.asked]
    assert asked == ["?state=open", "", "?state=closed"]


@pytest.mark.parametrize(
    ("record", "instance", "code"),
    [
        (RECORD, LISTED["instance"], 0),
        (RECORD, None, 1),
        (RECORD, {**LISTED["instance"], "custom_status": {"step": "soak", "state": "needs-you"}}, 1),
        ({**RECORD, "state": "closed", "result": "failed", "closed": "2026-11-21T09:00:00Z"}, None, 1),
        ({**RECORD, "state": "closed", "result": "done", "closed": "2026-11-21T09:00:00Z"}, None, 0),
        (None, LISTED["instance"], 0),
    ],
)
def test_one_is_shown(api: Api, capsys: pytest.CaptureFixture[str], record: Any, instance: Any, code: int) -> None:
    """The record, what its instance does, and what can be decided; what needs somebody makes the exit code."""
    open_to = ["revert"] if record else []
    api.answer(f"GET /api/federations/{ID}", {"record": record, "instance": instance, "open_to": open_to})
    assert main(["federations", ID]) == code
    out = capsys.readouterr().out
    if record:
        assert "connection contoso/Shop/deploy" in out
        assert "approve    by bob@contoso.example at 2026-11-21 08:00 UTC" in out
        assert f"python -m rekey revert {ID}" in out
        assert "2026-11-21 07:40  convert_connection  ok" in out


@pytest.mark.parametrize(("decision", "said"), [("approve", "approved"), ("revert", "to be reverted")])
def test_a_decision_is_put_down(api: Api, capsys: pytest.CaptureFixture[str], decision: str, said: str) -> None:
    """Who said it first is told, and whether the instance heard of it; a refusal is told in the API's words."""
    place = {"organization": "contoso", "project": "Shop", "connection": "deploy"}
    granted = {"role": "Reader", "scope": SCOPE, "identity": ""}
    taken = {
        "id": ID,
        **place,
        **granted,
        "decision": decision,
        "by": "bob",
        "at": "2026-11-21T08:00:00Z",
        "heard": False,
    }
    where = f"POST /api/federations/{INSTANCE}/{decision}"
    api.answer(where, taken)
    api.answer(where, {"error": {"code": "own-request", "message": "somebody else has to approve it"}}, 403)
    assert main([decision, INSTANCE]) == 0
    out = capsys.readouterr().out
    assert f"contoso/Shop/deploy: {said}" in out
    assert "could not be told now" in out
    assert (f"it gets Reader for {SCOPE}" in out) == (decision == "approve")
    assert main([decision, INSTANCE]) == 1
    assert "somebody else has to approve it" in capsys.readouterr().err


def test_json_is_what_was_answered(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """For other programs."""
    plans = {"plans": [PLANNED], "matching": 1, "left_out": 0}
    api.answer(PLAN, plans)
    api.answer("GET /api/federations", {"federations": [LISTED]})
    assert main(["federate", "contoso/Shop/deploy", "--plan", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == plans
    main(["federations", "--json"])
    assert json.loads(capsys.readouterr().out) == {"federations": [LISTED]}
