"""How the demo tells steps and requests, also those it has never heard of, to screens of any kind."""

import io
from datetime import UTC, datetime

import pytest

from local.demo.calls import Call, told
from local.demo.follow import Step
from local.demo.screen import Screen
from local.demo.story import Story
from local.judge import Check
from rekey.records import Entry
from tests.demo import finished

NOW = datetime(2026, 11, 21, 4, 46, 30, tzinfo=UTC)
GUID = "3f1c2a54-8a57-4f0e-b9c1-6f1f3a8f0c11"


def call(service: str, method: str, path: str, status: int | None) -> Call:
    """Return a request of the app."""
    return Call(n=1, at=NOW, service=service, method=method, path=path, status=status, user_agent="azsdk")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/v1.0/applications/{GUID}/addPassword", "graph: POST addPassword 200"),
        (f"/org/project/_apis/serviceendpoint/endpoints/{GUID}", "graph: POST endpoints 200"),
        (f"/org/_apis/permissions/{GUID}/2", "graph: POST permissions 200"),
        ("/secrets/deploy-1/", "graph: POST deploy-1 200"),
        (f"/secrets/staged-{GUID}", "graph: POST staged-3f1c2a54… 200"),
        ("/", "graph: POST / 200"),
    ],
)
def test_request_is_told_by_its_last_name(path: str, expected: str) -> None:
    """A request is told by the last part of its path that isn't just an id."""
    assert told([call("graph", "POST", path, 200)]) == expected


def test_requests_are_grouped_and_counted() -> None:
    """Requests are told by service, the same ones once with their number, and a challenge as what it is."""
    asked = [
        call("keyvault", "GET", "/secrets/a/", 401),
        call("entra", "POST", "/t/oauth2/v2.0/token", 401),
        call("keyvault", "GET", "/secrets/a/", 200),
        call("entra", "POST", "/t/oauth2/v2.0/token", 401),
        call("entra", "POST", "/t/oauth2/v2.0/token", None),
    ]
    assert told(asked) == (
        "keyvault: GET a 401 (asks for a token), GET a 200; entra: POST token 401 (2 times), POST token under way"
    )


def test_unknown_step_is_told_as_it_was_recorded() -> None:
    """A step that the demo has no sentence for is shown with what its record says."""
    story = Story(finished.SCENARIO, finished.OLD_END, finished.record())
    entry = Entry(step="federate", outcome="ok", at=NOW, detail={"issuer": "https://login"})
    assert story.told(entry) == '{"issuer": "https://login"}'


def test_repeated_step_says_what_it_waits_for() -> None:
    """A password that isn't known everywhere yet is told as that, with the number of tries."""
    story = Story(finished.SCENARIO, finished.OLD_END, finished.record())
    entry = Entry(step="verify_credential", outcome="retry-after", at=NOW, code="not-known-yet", message="No", times=3)
    assert story.told(entry).startswith("No, tried 3 times: a new password takes seconds to minutes")


@pytest.mark.parametrize("columns", ["60", "80", "100", "200"])
def test_lines_fit_and_have_no_control_codes(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a terminal everything is plain text that fits, with nothing at the ends of lines."""
    monkeypatch.setenv("COLUMNS", columns)
    stream = io.StringIO()
    with Screen(stream) as screen:
        screen.title("Rekey", "words " * 40)
        screen.part("Part")
        screen.waiting("never shown")
        screen.step(Step("check_old_credential_use", "ok", 1.5, "words " * 40, NOW), "calls " * 40)
        screen.witnessed("words " * 40, ok=False)
        screen.checks([Check("each mail went once, to the right people", ok=True, seen="[bold]words " * 40)])
        screen.lines("secret      name " + "words " * 40)
    lines = stream.getvalue().splitlines()
    assert not any(len(line) > int(columns) or line != line.rstrip() for line in lines)
    assert "\x1b" not in stream.getvalue()
    assert "never shown" not in stream.getvalue()
    assert "[bold]words" in stream.getvalue()


def test_marks_are_spelled_where_unicode_is_not_to_be_had() -> None:
    """A stream that takes ASCII only gets other marks instead of question marks."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with Screen(stream) as screen:
        screen.checks([Check("it holds", ok=True, seen=GUID)])
    stream.seek(0)
    assert stream.read().split() == ["+", "it", "holds", "3f1c2a54..."]
