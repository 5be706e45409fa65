"""`python -m rekey list|show|plan|report|acknowledge`: what people see, and how each ends."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.__main__ import main
from rekey.spreadsheet import cell
from rekey.terminal import harmless, table
from tests.rekey.answering import Api, answering

ID = "0b7e9f3c-8f0a-4e4e-9d5e-0123456789ab"
SECRET = {
    "vault": "kv-shop",
    "secret": "build-sp",
    "care": "managed",
    "enabled": True,
    "kind": "entra-app-password",
    "target": "11111111-1111-1111-1111-111111111111",
    "created": "2026-06-01T00:00:00Z",
    "age_days": 160,
    "expires": "2026-12-11T07:00:00Z",
    "due": True,
    "due_from": "2026-11-10T07:00:00Z",
    "why": "expires 2026-12-11 07:00 UTC",
    "bad_tags": [],
    "consumers": ["azdo-service-connection://contoso/Shop/prod", "azdo-service-connection://contoso/Shop/test"],
    "owners": ["ada@contoso.example"],
    "last": {"rotation_id": ID, "state": "closed", "result": "done", "opened": "2026-06-01T00:00:00+00:00"},
}
UNTAGGED = {**SECRET, "secret": "other", "care": "untagged", "kind": None, "expires": None, "due": False, "last": None}
PLAN: dict[str, Any] = {
    "vault": "kv-shop",
    "secret": "build-sp",
    "reason": "manual",
    "instance": "rotate.kv-shop.build-sp",
    "verdict": "rotates",
    "why": "expires soon",
    "running": False,
    "dates": dict.fromkeys(("due_from", "old_expires", "new_expires", "grace_until"), "2026-12-11T07:00:00Z"),
    "steps": [
        {
            "step": "generate_credential",
            "does": "Has a new credential issued.",
            "touches": [{"plane": "entra-app-password", "id": "obj-1", "name": "shop", "change": "gets a password"}],
            "permissions": [
                {"plane": "graph", "name": "Application.ReadWrite.OwnedBy", "needed_for": "adding", "grant": ""}
            ],
        }
    ],
    "missing": [],
    "bad_tags": [],
    "not_proved": ["The right to write."],
    "remarks": ["A remark."],
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Run an operator API that the environment names."""
    with answering() as running:
        monkeypatch.setenv("REKEY_API", running.origin)
        monkeypatch.delenv("REKEY_API_KEY", raising=False)
        yield running


def listed(state: str = "open", custom: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a rotation as the API lists it; `custom` is what its instance says, None for no instance."""
    instance = {"id": "rotate.kv-shop.build-sp", "runtime_status": "Running", "custom_status": custom}
    return {
        "rotation_id": ID,
        "vault": "kv-shop",
        "secret": "build-sp",
        "state": state,
        "result": "",
        "opened": "2026-11-21T07:39:22+00:00",
        "instance": instance if custom is not None else None,
        **changes,
    }


WAITING = {"step": "grace", "state": "waiting", "next": "2026-11-28T07:39:22+00:00", "waiting_for": "the end"}


def test_rotations_are_listed_in_columns(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Id, secret, what it is at, when it goes on and what it waits for, open ones unless asked otherwise."""
    api.answer("GET /api/rotations", {"rotations": [listed(custom=WAITING)]})
    assert main(["list"]) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert re.split(r" {2,}", row) == [
        ID,
        "kv-shop/build-sp",
        "waiting",
        "grace",
        "2026-11-21 07:39",
        "2026-11-28 07:39",
        "the end",
    ]
    assert heading.index("SECRET") == row.index("kv-shop")
    assert api.asked[0].path == "/api/rotations?state=open"


@pytest.mark.parametrize(
    ("rotation", "code"),
    [
        (listed(custom={**WAITING, "state": "needs-you"}), 1),
        (listed(), 1),
        (listed(custom={}), 0),
        (listed("closed", result="failed"), 0),
    ],
)
def test_the_list_tells_scripts_whether_somebody_is_needed(api: Api, rotation: dict[str, Any], code: int) -> None:
    """One that needs somebody, or that nothing drives, is exit code 1; one that ended is history."""
    api.answer("GET /api/rotations", {"rotations": [rotation]})
    assert main(["list", "--state", "all"]) == code


def test_an_empty_list_is_said(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """No rows are no silence."""
    api.answer("GET /api/rotations", {"rotations": []})
    assert main(["list", "--state", "closed"]) == 0
    assert capsys.readouterr().out == "no rotation is closed\n"


def record(**changes: Any) -> dict[str, Any]:
    """Return a rotation's record as the API shows it."""
    entries = [
        {
            "step": "read",
            "outcome": "ok",
            "at": "2026-11-21T07:39:22Z",
            "detail": {"key_id": "k1", "staged": None, "tries": 1},
        },
        {"step": "preflight", "outcome": "permanent", "at": "2026-11-21T07:40:22Z", "code": "c", "message": "m\x1b[2J"},
    ]
    return {
        "rotation_id": ID,
        "vault": "kv-shop",
        "secret": "build-sp",
        "reason": "manual",
        "requested_by": "ops",
        "opened": "2026-11-21T07:39:22Z",
        "closed": None,
        "state": "open",
        "result": "",
        "old_version": "v1",
        "issued": {"key_id": "k1", "expires": "2027-05-20T07:39:22Z", "staged_version": None},
        "entries": entries,
        **changes,
    }


def test_a_rotation_is_shown_step_by_step(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Who asked, what was made, what it is at, each step's outcome; what a terminal would obey is escaped."""
    instance = listed(custom=WAITING)["instance"]
    api.answer(f"GET /api/rotations/{ID}", {"record": record(), "instance": instance})
    assert main(["show", ID]) == 0
    out = capsys.readouterr().out
    assert "asked for by ops" in out
    assert "key k1, until 2027-05-20 07:39 UTC" in out
    assert "grace: waiting" in out
    assert re.search(r"2026-11-21 07:40 +preflight +permanent +1 +c: m\\x1b\[2J", out)
    assert re.search(r"read +ok +1 +key_id k1, tries 1$", out, re.MULTILINE)
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"record": record(state="closed", result="done", closed="2026-11-21T07:39:22Z"), "instance": None}, 0),
        ({"record": record(state="closed", result="failed", closed="2026-11-21T07:39:22Z"), "instance": None}, 1),
        ({"record": record(), "instance": None}, 1),
        ({"record": None, "instance": {**listed(custom={})["instance"], "runtime_status": "Failed"}}, 1),
        ({"record": None, "instance": listed(custom={})["instance"]}, 0),
    ],
)
def test_what_is_shown_tells_scripts_whether_somebody_is_needed(api: Api, answer: dict[str, Any], code: int) -> None:
    """A failed one, or one that nothing drives, is exit code 1."""
    api.answer(f"GET /api/rotations/{ID}", answer)
    assert main(["show", ID]) == code


def test_who_acts_by_hand_is_shown(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Who is waited for, and who said of whom that they have it, when; nothing where the app doesn't say."""
    people = [
        {"consumer": "manual:ada@contoso.example", "by": None, "at": None},
        {"consumer": "manual:bob@contoso.example", "by": "ops\x1b[2J", "at": "2026-11-22T07:39:22Z"},
    ]
    answer = {"record": record(), "instance": listed(custom=WAITING)["instance"]}
    api.answer(f"GET /api/rotations/{ID}", {**answer, "acknowledgements": people})
    api.answer(f"GET /api/rotations/{ID}", answer)
    assert main(["show", ID]) == 0
    out = capsys.readouterr().out
    assert "by hand   manual:ada@contoso.example: not acknowledged yet" in out
    assert "by hand   manual:bob@contoso.example: acknowledged by ops\\x1b[2J at 2026-11-22 07:39 UTC" in out
    assert main(["show", ID]) == 0
    assert "by hand" not in capsys.readouterr().out


TAKEN = {
    "rotation_id": ID,
    "vault": "kv-shop",
    "secret": "build-sp",
    "decision": "acknowledge",
    "consumer": "manual:ada@contoso.example",
    "by": "ops",
    "at": "2026-11-22T07:39:22Z",
    "waiting_for": [],
    "heard": True,
}


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({}, []),
        ({"waiting_for": ["manual:bob@contoso.example"]}, ["still waited for: manual:bob@contoso.example"]),
        ({"heard": False}, ["the rotation could not be told now: if it runs, it reads this within a day"]),
    ],
)
def test_an_acknowledgement_says_who_is_waited_for_yet(
    api: Api, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], more: list[str]
) -> None:
    """What was put down by whom, what is missing, and whether the rotation has heard of it."""
    api.answer(f"POST /api/rotations/{ID}/acknowledge", {**TAKEN, **changes})
    assert main(["acknowledge", ID, "manual:ada@contoso.example"]) == 0
    first = "kv-shop/build-sp: manual:ada@contoso.example acknowledged by ops at 2026-11-22 07:39 UTC"
    assert capsys.readouterr().out.splitlines() == [first, *more]
    assert api.asked[0].body == {"consumer": "manual:ada@contoso.example"}


@pytest.mark.parametrize(("status", "code"), [(400, 2), (404, 1), (409, 1)])
def test_an_acknowledgement_that_is_refused_is_an_exit_code(
    api: Api, capsys: pytest.CaptureFixture[str], status: int, code: int
) -> None:
    """What can't be used is 2, what doesn't wait for it is 1, in the API's own words."""
    body = {"error": {"code": "rotation-closed", "field": "id", "message": "id: the rotation ended done"}}
    api.answer(f"POST /api/rotations/{ID}/acknowledge", body, status=status)
    assert main(["acknowledge", ID, "manual:ada@contoso.example"]) == code
    assert "the rotation ended done" in capsys.readouterr().err


def test_an_id_stays_in_its_place(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is given as an id asks for a rotation; one that isn't known ends with the API's own words."""
    body = {"error": {"code": "unknown-rotation", "field": "id", "message": "id: got '../secrets', expected an id"}}
    api.answer("GET /api/rotations/..%2Fsecrets%3Fx", body, status=404)
    assert main(["show", "../secrets?x"]) == 1
    assert "expected an id" in capsys.readouterr().err


def test_a_plan_is_told_in_steps(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """What would happen, on what, with which right, and what wasn't proved."""
    api.answer("POST /api/rotations/plan", PLAN)
    assert main(["plan", "kv-shop/build-sp"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("kv-shop/build-sp would rotate (manual): expires soon\n")
    assert " 1. generate_credential: Has a new credential issued.\n" in out
    assert "entra-app-password obj-1 (shop): gets a password" in out
    assert re.search(r"1 +graph +Application.ReadWrite.OwnedBy +adding", out)
    for said in ("The right to write.", "A remark.", "2026-12-11 07:00"):
        assert said in out
    assert api.asked[0].body == {"vault": "kv-shop", "secret": "build-sp", "reason": "manual"}


MISSING = {"step": "preflight", "subject": "app", "code": "c", "message": "not owned", "what_to_do": "az grant"}


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"verdict": "stops", "missing": [MISSING]}, 1, "MISSING at preflight, app: not owned\n  az grant"),
        (
            {"verdict": "bad-policy", "bad_tags": [{"tag": "t", "expected": "e", "got": None}], "dates": None},
            1,
            "BAD TAG t: got a value that isn't shown, expected e",
        ),
        ({"verdict": "untagged", "steps": [], "dates": None}, 1, "is not managed"),
        ({"verdict": "not-due"}, 0, "would not rotate yet"),
        ({"running": True}, 0, "A rotation is on its way already"),
    ],
)
def test_a_plan_that_stops_says_why(
    api: Api, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], code: int, said: str
) -> None:
    """What is missing comes with what to do; only what needs somebody is exit code 1."""
    api.answer("POST /api/rotations/plan", {**PLAN, **changes})
    assert main(["plan", "kv-shop/build-sp", "--reason", "schedule"]) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("secret", ["kv-shop", "kv-shop/", "/build-sp", ""])
def test_a_secret_without_its_vault_is_refused(api: Api, secret: str) -> None:
    """Nothing is asked."""
    assert main(["plan", secret]) == 2
    assert api.asked == []


def page(*secrets: dict[str, Any], after: str | None = None, problems: Any = ()) -> dict[str, Any]:
    """Return a page of the inventory."""
    return {"secrets": secrets, "matching": 9, "continuation": after, "problems": list(problems)}


def test_a_report_has_every_page(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The continuations are followed, and a summary counts all."""
    api.answer("GET /api/secrets", page(SECRET, after="next"))
    api.answer("GET /api/secrets", page(UNTAGGED))
    assert main(["report", "--never-expires", "--tag", "team:shop"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert re.split(r" {2,}", out[1])[:5] == [
        "kv-shop/build-sp",
        "managed",
        "entra-app-password",
        "160 d",
        "2026-12-11 07:00",
    ]
    assert "2026-11-10 07:00 (due)" in out[1]
    assert "never" in out[2]
    assert out[4] == "2 secrets: 1 managed, 1 untagged, 0 bad-policy; 1 due, 1 without expiry"
    assert out[5] == "last rotations: 1 done"
    assert [asked.path for asked in api.asked] == [
        "/api/secrets?tag=team%3Ashop&top=1000&never-expires=true",
        "/api/secrets?tag=team%3Ashop&top=1000&never-expires=true&continuation=next",
    ]


def test_a_page_that_leads_to_itself_ends(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """A report comes to an end, whatever the API says."""
    api.answer("GET /api/secrets", page(SECRET, after="next"))
    assert main(["report"]) == 1
    assert "the same page twice" in capsys.readouterr().err


def test_several_vaults_are_asked_for_each(api: Api) -> None:
    """Each vault named is one question, and each once."""
    api.answer("GET /api/secrets", page())
    assert main(["report", "--vault", "kv-a", "--vault", "kv-b", "--vault", "kv-a"]) == 0
    assert [re.findall(r"vault=([a-z-]+)", asked.path) for asked in api.asked] == [["kv-a"], ["kv-b"]]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (page({**SECRET, "care": "bad-policy"}), ""),
        (page({**SECRET, "last": {**SECRET["last"], "result": "failed"}}), ""),  # type: ignore[dict-item]
        (page(problems=[{"vault": "kv-x", "code": "forbidden", "message": "HTTP 403", "what_to_do": "Grant"}]), "kv-x"),
    ],
)
def test_findings_are_an_exit_code(
    api: Api, capsys: pytest.CaptureFixture[str], answer: dict[str, Any], said: str
) -> None:
    """Tags that can't be used, a failed rotation, a vault that wasn't seen."""
    api.answer("GET /api/secrets", answer)
    assert main(["report"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("since", "shown"), [("2026-05-31", "done"), ("2026-06-02", ""), ("P1D", "")])
def test_results_before_a_moment_are_left_out(
    api: Api, capsys: pytest.CaptureFixture[str], since: str, shown: str
) -> None:
    """The secret is reported all the same."""
    api.answer("GET /api/secrets", page(SECRET))
    assert main(["report", "--since", since, "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["secret"], row["last_result"]) == ("build-sp", shown)


def test_a_duration_counts_back_from_now(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """A rotation of yesterday is within thirty days."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    last = {"rotation_id": ID, "state": "open", "result": "", "opened": yesterday}
    api.answer("GET /api/secrets", page({**SECRET, "last": last}))
    assert main(["report", "--since", "P1M"]) == 0
    assert "last rotations: 1 open" in capsys.readouterr().out


@pytest.mark.parametrize("since", ["yesterday", "P", "2026-13-01", "-P1D"])
def test_a_moment_that_is_none_is_named(api: Api, capsys: pytest.CaptureFixture[str], since: str) -> None:
    """Field, value, what was expected; nothing is asked."""
    assert main(["report", f"--since={since}"]) == 2
    assert f"--since: got '{since}', expected a date" in capsys.readouterr().err
    assert api.asked == []


def test_csv_can_be_read_by_a_spreadsheet(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """One row a secret with all there is, lists in one cell, and nothing that a spreadsheet would compute."""
    hostile = {**SECRET, "secret": '=HYPERLINK("http://evil.example","x")', "owners": ["@sum", "b,c"], "why": "a\nb"}
    api.answer("GET /api/secrets", page(SECRET, hostile))
    assert main(["report", "--csv"]) == 0
    plain, formula = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert plain["consumers"] == "; ".join(SECRET["consumers"])  # type: ignore[arg-type]
    assert (plain["due"], plain["age_days"], plain["last_rotation_id"]) == ("true", "160", ID)
    assert formula["secret"] == '\'=HYPERLINK("http://evil.example","x")'
    assert formula["owners"] == "'@sum; b,c"
    assert formula["why"] == "a\\nb"


@given(text=st.text() | st.text("=+-@\t\r\n \uff1d\u2028ab", max_size=5))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    """Whatever a name holds, the cell's first visible character starts no formula, and it is one line."""
    made = cell(text)
    assert not made.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    assert len(made.splitlines()) <= 1


@given(text=st.text())
def test_nothing_reaches_the_terminal_but_text(text: str) -> None:
    """Control characters, also those that turn the reading direction, are escapes."""
    assert harmless(text).isprintable()


@given(rows=st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_columns_line_up(rows: list[tuple[str, str]]) -> None:
    """Every row is one line, and the second column begins where its heading does."""
    heading, *lines = table(("A", "SECOND"), rows)
    assert len(lines) == len(rows)
    for line, (_, second) in zip(lines, rows, strict=True):
        assert line[heading.index("SECOND") :] == harmless(second).rstrip()


@pytest.mark.parametrize(
    ("command", "what", "answer"),
    [
        (["list"], "GET /api/rotations", {"rotations": [listed(custom=WAITING)]}),
        (
            ["show", ID],
            f"GET /api/rotations/{ID}",
            {"record": record(), "instance": listed(custom=WAITING)["instance"]},
        ),
        (["plan", "kv-shop/build-sp"], "POST /api/rotations/plan", PLAN),
        (["acknowledge", ID, "manual:ada@contoso.example"], f"POST /api/rotations/{ID}/acknowledge", TAKEN),
    ],
)
def test_json_is_what_was_answered(
    api: Api, capsys: pytest.CaptureFixture[str], command: list[str], what: str, answer: Any
) -> None:
    """--json prints the API's answer whole, with escapes for what a terminal would obey."""
    api.answer(what, answer)
    assert main([*command, "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == answer
    assert "\x1b" not in out


def test_a_report_as_json_is_whole(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """All pages in one document."""
    api.answer("GET /api/secrets", page(SECRET, after="next"))
    api.answer("GET /api/secrets", page(UNTAGGED))
    assert main(["report", "--json"]) == 0
    assert [s["secret"] for s in json.loads(capsys.readouterr().out)["secrets"]] == ["build-sp", "other"]
