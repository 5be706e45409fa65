"""`python -m rekey connections`: what people see of the last report, and how it ends."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from rekey.__main__ import main
from tests.rekey.answering import Api, answering

ROW: dict[str, Any] = {
    "key": "contoso/1",
    "organization": "contoso",
    "project": "Shop",
    "connection": "deploy",
    "id": "1",
    "way": "secret",
    "application": "9d4b",
    "application_name": "=Shop",
    "issuer": "",
    "subject": "",
    **dict.fromkeys(("created", "changed", "revert_until"), None),
    "last_used": "2026-11-20T07:39:22Z",
    "expires": "2026-12-11T07:00:00Z",
    "disabled": False,
    "shared_with": ["Web"],
    "managed_by": "kv-shop/deploy",
    "keyless": None,
    "seen": "2026-11-21T05:00:00Z",
    "findings": ["secret"],
}
SAID = {
    "code": "secret-expires",
    "severity": "wrong",
    "organization": "contoso",
    "project": "Shop",
    "subject": "deploy",
    "message": "it \x1b[31mends",
    "what_to_do": "Convert it.",
    "about": "contoso/1",
    "since": "2026-11-20T05:00:00Z",
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Run an operator API that the environment names."""
    with answering() as running:
        monkeypatch.setenv("REKEY_API", running.origin)
        monkeypatch.delenv("REKEY_API_KEY", raising=False)
        yield running


def page(*rows: Any, findings: tuple[Any, ...] = (), continuation: str | None = None) -> dict[str, Any]:
    """Return a page of a report."""
    return {
        "run_id": "r",
        "at": "2026-11-21T05:00:00Z",
        "counts": {},
        "connections": rows,
        "findings": findings,
        "matching": 2,
        "continuation": continuation,
    }


def test_connections_and_findings_are_shown(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """All pages; what is wrong makes the exit code, and no text moves the cursor."""
    other = {**ROW, "connection": "web", "way": "federated", "expires": None, "managed_by": "", "findings": []}
    api.answer("GET /api/service-connections", page(ROW, findings=(SAID,), continuation="r.1"))
    api.answer("GET /api/service-connections", page(other))
    assert main(["connections", "--project", "Shop", "--way", "secret"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("  ")[0] == "contoso/Shop/deploy"
    assert "2026-12-11 07:00  kv-shop/deploy" in lines[1]
    assert lines[2].startswith("contoso/Shop/web")
    assert "wrong: secret-expires: contoso/Shop/deploy: it \\x1b[31mends (since 2026-11-20)" in lines
    assert lines[-1] == "2 connections, as of 2026-11-21 05:00 UTC"
    asked = [request.path for request in api.asked]
    assert asked[0] == "/api/service-connections?project=Shop&way=secret&top=1000"
    assert asked[1] == f"{asked[0]}&continuation=r.1"


def test_all_well_is_exit_code_0(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Advice alone is no reason to stop a pipeline."""
    api.answer("GET /api/service-connections", page(ROW, findings=({**SAID, "severity": "advice"},)))
    assert main(["connections"]) == 0
    assert "Convert it." in capsys.readouterr().out


def test_a_table_for_spreadsheets(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """What begins like a formula is text."""
    api.answer("GET /api/service-connections", page(ROW))
    main(["connections", "--csv"])
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["connection"], row["application_name"], row["shared_with"]) == ("deploy", "'=Shop", "Web")


def test_json_has_all_pages(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """For other programs."""
    api.answer("GET /api/service-connections", page(ROW, findings=(SAID,), continuation="r.1"))
    api.answer("GET /api/service-connections", page(ROW))
    main(["connections", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (len(shown["connections"]), len(shown["findings"]), shown["continuation"]) == (2, 1, None)


def test_no_report_is_said(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """What the API says is told, and the exit code is that of something that isn't well."""
    error = {"error": {"code": "no-report", "message": "no audit has come to its end yet"}}
    api.answer("GET /api/service-connections", error, status=404)
    assert main(["connections"]) == 1
    assert "no audit has come to its end yet" in capsys.readouterr().err
