"""The operator's view on the real host: the inventory, a plan, a start by filter, and the commands in a terminal."""

import csv
import io
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from local.processes import wait_until
from rekey import names
from rekey.__main__ import main
from tests.e2e.company import DURABLE, Company, running

NOT_RECORDED = {names.READ_POLICY, names.GRACE}
"""A step before there is a record, and a wait."""


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Run a company in which nobody is needed, but for what these tests do."""
    with running(REKEY_MAIL_DOMAINS="contoso.example, partner.example") as found:
        yield found


def run(company: Company, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command against the app and return its exit code and what it printed."""
    code = main([*arguments, "--api", company.stack.host_url])
    return code, capsys.readouterr().out


def test_a_rotation_is_planned_started_by_filter_and_seen_to_its_end(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the plan says is what the rotation then does, in that order, on those objects."""
    team = secrets.token_hex(3)
    managed = company.manage(tags={"team": team})
    bystander = company.manage(tags={"team": "other"})
    before = (managed.everything(), managed.mails(), company.instances())
    code, text = run(company, capsys, "plan", f"{managed.vault}/{managed.secret}", "--json")
    plan = json.loads(text)
    assert (code, plan["verdict"], plan["missing"], plan["running"]) == (0, "rotates", [], False)
    assert (managed.everything(), managed.mails(), company.instances()) == before
    body: dict[str, Any] = {"filter": {"tags": {"team": team}}, "limit": 5, "dry_run": True}
    answer = company.ask("POST", "/api/rotations", body)
    assert [i["outcome"] for i in answer["instances"]] == ["would-start"]
    answer = company.ask("POST", "/api/rotations", {**body, "dry_run": False}, expected=202)
    assert [(i["secret"], i["outcome"]) for i in answer["instances"]] == [(managed.secret, "started")]
    assert managed.finished()["output"]["result"] == "done"
    assert bystander.changes() == []
    (record,) = managed.records()
    done = [entry["step"] for entry in record["entries"] if entry["outcome"] == "ok"]
    assert done == [s["step"] for s in plan["steps"] if s["step"] not in NOT_RECORDED]
    touched = {t["id"] for s in plan["steps"] for t in s["touches"]}
    assert {managed.registration()["object_id"], managed.endpoint()["id"], record["old_version"]} <= {
        part for place in touched for part in (place, place.rpartition("/")[2])
    }
    retired = next(t["change"] for s in plan["steps"] for t in s["touches"] if s["step"] == names.RETIRE_OLD_CREDENTIAL)
    (removed,) = [p["key_id"] for p in managed.passwords() if p["removed"] is not None]
    assert retired == f"loses the old credential, key id {removed}"


def test_the_commands_show_what_there_is(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    """list, show and report against the running app; an untagged secret is in the report, its value isn't."""
    managed = company.manage(grace="PT1H")
    untagged = company.manage(secret={"tags": None, "expires_with_password": None})
    company.start({**managed.request, "reason": "manual"}, managed.instance)
    managed.reaches("grace")
    code, text = run(company, capsys, "list")
    row = next(line for line in text.splitlines() if managed.secret in line)
    assert (code, "waiting" in row, "grace" in row) == (0, True, True)
    code, text = run(company, capsys, "show", managed.instance)
    assert (code, f"{managed.vault}/{managed.secret}" in text) == (0, True)
    assert "set_secret_version" in text
    code, text = run(company, capsys, "report", "--csv", "--since", "P1D", "--vault", managed.vault)
    rows = {found["secret"]: found for found in csv.DictReader(io.StringIO(text))}
    assert code == 0
    assert (rows[managed.secret]["care"], rows[managed.secret]["last_state"]) == ("managed", "open")
    assert (rows[untagged.secret]["care"], rows[untagged.secret]["expires"]) == ("untagged", "")
    assert not [value for value in (managed.value(), untagged.value()) if value in text]


def test_a_partner_is_told_acknowledged_and_waited_for(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    """Told apart at the switch, by an event through the queue; the old password works until somebody says they act."""
    partner = "ada@partner.example"
    managed = company.manage(event=True, tags={"rekey-consumer-1": f"manual:{partner}", "rekey-notify": None})
    old = managed.value()
    wait_until(lambda: managed.told().count("needs you") == 2, "owners and partner are reminded")
    assert managed.signs_in(old)[0] == 200
    waits = managed.reaches("grace")["customStatus"]
    assert (waits["state"], waits["waiting_for"]) == ("needs-you", "1 to be acknowledged")
    assert waits["consumers"] == {"total": 2, "confirmed": 1, "failed": 0}
    assert "@" not in json.dumps(waits)
    theirs = [m for m in managed.mails() if partner in m["to"]]
    assert [m["subject"].split(":")[0] for m in theirs] == ["[Rekey] switched", "[Rekey] needs you"]
    version = managed.versions()[-1]
    assert all(m["to"] == [partner] and version["id"] in m["text"] for m in theirs)
    assert not [m for m in theirs if managed.connection in m["text"] + m["html"] or managed.value() in m["text"]]
    company.ask("POST", f"{DURABLE}/instances/{managed.instance}/raiseEvent/{names.DECISION_EVENT}", {}, expected=202)
    (record,) = managed.records()
    command = f"python -m rekey acknowledge {record['rotation_id']} manual:{partner}"
    assert all(command in m["text"] for m in theirs)
    code, text = run(company, capsys, "show", managed.instance)
    assert (code, f"manual:{partner}: not acknowledged yet" in text) == (1, True)
    assert managed.signs_in(old)[0] == 200
    code, text = run(company, capsys, *command.split()[3:])
    assert (code, text.count("acknowledged by operator API")) == (0, 1)
    assert managed.finished()["output"]["result"] == "done"
    assert managed.signs_in(old)[0] == 401
    assert managed.told().count("done") == 1
    done = managed.mails()[-1]
    assert partner not in done["to"]
    assert "confirmed by: an acknowledgement (operator API)" in " ".join(done["text"].split())
    answer = company.ask(
        "POST", f"/api/rotations/{record['rotation_id']}/acknowledge", {"consumer": f"manual:{partner}"}
    )
    assert (answer["by"], answer["heard"], answer["waiting_for"]) == ("operator API", False, [])


def test_the_inventory_comes_in_pages_over_http(company: Company) -> None:
    """Query and continuation travel as they are, and every secret is on one page."""
    made = {company.manage(secret={"tags": {"n": "1"}}).secret for _ in range(3)}
    path, found = "/api/secrets?tag=n:1&top=2", []
    answer = company.ask("GET", path)
    while answer["continuation"]:
        found += answer["secrets"]
        answer = company.ask("GET", f"{path}&continuation={answer['continuation']}")
    found += answer["secrets"]
    assert (sorted(s["secret"] for s in found), answer["matching"]) == (sorted(made), 3)
