"""`python -m rekey readers`, and what `plan` says of readers, against an operator API that answers as told."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from rekey.__main__ import main
from tests.rekey.answering import Api, answering
from tests.rekey.test_commands import PLAN

READER: dict[str, Any] = {
    "app_id": "11111111-1111-4111-8111-111111111111",
    "object_id": "22222222-2222-4222-8222-222222222222",
    "name": "",
    "how": "read",
    "first": "2026-11-01T07:00:00Z",
    "last": "2026-11-21T07:00:00Z",
    "addresses": ["10.0.0.1", "10.0.0.2"],
}
VERSIONS = [{"version": "", "readers": [READER]}, {"version": "v1", "readers": [{**READER, "name": "a\x1b[31m"}]}]
ANSWER: dict[str, Any] = {
    "vault": "kv-shop",
    "secret": "build-sp",
    "passed": "2026-11-21T07:05:00Z",
    "unseen": "",
    "versions": VERSIONS,
}
PATH = "GET /api/secrets/kv-shop/build-sp/readers"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Run an API that the environment names."""
    with answering() as running:
        monkeypatch.setenv("REKEY_API", running.origin)
        monkeypatch.setenv("REKEY_API_KEY", "a-key")
        yield running


def test_readers_are_a_table(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each reader of each version; what a terminal would obey is an escape."""
    api.answer(PATH, ANSWER)
    assert main(["readers", "kv-shop/build-sp"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert re.split(r" {2,}", lines[1])[:2] == ["(newest)", "read"]
    assert "2026-11-01 07:00" in lines[1]
    assert "10.0.0.1, 10.0.0.2" in lines[1]
    assert lines[2].startswith("v1")
    assert "\x1b" not in out
    assert lines[3] == "The audit log was read up to 2026-11-21 07:05 UTC."


def test_not_knowing_is_a_finding(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody known, and why that may not be all: exit code 1."""
    api.answer(PATH, {**ANSWER, "versions": [], "passed": None, "unseen": "no log"})
    assert main(["readers", "kv-shop/build-sp"]) == 1
    out = capsys.readouterr().out
    assert "no reader of kv-shop/build-sp is known" in out
    assert "Others may have read it: no log." in out


def test_json_is_what_was_answered(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints the answer whole."""
    api.answer(PATH, ANSWER)
    assert main(["readers", "kv-shop/build-sp", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ANSWER


@pytest.mark.parametrize("secret", ["build-sp", "/build-sp", "kv-shop/"])
def test_a_secret_without_its_vault_is_refused(api: Api, secret: str) -> None:
    """Nothing is asked."""
    assert main(["readers", secret]) == 2
    assert api.asked == []


def test_a_plan_shows_who_read_the_secret(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The readers follow the steps; an app that doesn't know them leaves them out."""
    api.answer("POST /api/rotations/plan", {**PLAN, "readers": VERSIONS})
    assert main(["plan", "kv-shop/build-sp"]) == 0
    out = capsys.readouterr().out
    assert "Read in the last 30 days by:" in out
    assert READER["object_id"] in out
