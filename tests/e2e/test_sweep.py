"""One night: what was stored before anybody subscribed to events is found and rotated, and one mail tells of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.processes import wait_until
from orchestrators.rotate_due import MOST_STEPS
from rekey import names
from tests.e2e.company import DURABLE, Company, running
from tests.e2e.managed import Managed

LOCKED_VAULT = "kv-locked"
EMPTY_VAULTS = [f"kv-empty-{n}" for n in range(MOST_STEPS)]
"""So many that the sweep needs more than one execution."""


@dataclass(frozen=True)
class Swept:
    """A company after its first nightly sweep."""

    company: Company
    due: list[Managed]
    rested: list[Managed]
    bad: Managed
    sweep: dict[str, Any]
    requests: list[dict[str, Any]]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swept]:
    """Run a company whose secrets are older than its event subscription, and one sweep."""
    with running(tmp_path_factory.mktemp("night"), vaults=[LOCKED_VAULT, *EMPTY_VAULTS]) as company:
        officer = {"roles": {"rekey": "Key Vault Secrets Officer"}}
        company.stack.control.seed({"vaults": {LOCKED_VAULT: {}, **dict.fromkeys(EMPTY_VAULTS, officer)}})
        due = [company.manage(grace="PT0S") for _ in range(2)]
        fresh = company.manage(secret={"expires_with_password": False, "expires_in_days": 100})
        endless = company.manage(secret={"expires_with_password": None})
        untagged = company.manage(secret={"tags": {"team": "shop"}})
        bad = company.manage(tags={"rekey-lead": "soon"})
        company.ask("POST", "/admin/functions/rotate_due_timer", {"input": ""}, expected=202)
        wait_until(lambda: bool(company.status(names.ROTATE_DUE)), "the timer has started the sweep")
        sweep = company.finished(names.ROTATE_DUE)
        for managed in due:
            managed.ends("done")
        yield Swept(company, due, [fresh, endless, untagged], bad, sweep, company.stack.control.requests())


def test_exactly_what_is_due_is_rotated(swept: Swept) -> None:
    """Those near their end have a new version; what is fresh, endless, untagged or badly tagged was left alone."""
    assert [len(m.versions()) for m in swept.due] == [2, 2]
    assert [len(m.versions()) for m in [*swept.rested, swept.bad]] == [1, 1, 1, 1]
    assert [m.records()[0]["requested_by"] for m in swept.due] == ["nightly sweep"] * 2
    assert all(m.status() == {} for m in swept.rested)


def test_one_mail_tells_the_operators_what_stood_in_the_way(swept: Swept) -> None:
    """One digest: how many were started, the vault that can't be read with the grant, the tag that can't be used."""
    mails = [m for m in swept.company.stack.control.outbox() if "nightly sweep" in m["subject"]]
    (mail,) = mails
    assert mail["to"] == [swept.company.scenario.operator]
    assert "2 rotations started" in mail["subject"]
    text = " ".join(mail["text"].split())
    assert LOCKED_VAULT in text
    assert "az role assignment create" in text
    assert swept.bad.secret in text
    assert "rekey-lead" in text


def test_owners_hear_of_tags_that_cannot_be_used(swept: Swept) -> None:
    """The secret never had an event: the sweep has its owners told, once for this version."""
    wait_until(lambda: bool(_of_bad_tags(swept)), "the owner has been told")
    swept.company.finished(swept.bad.instance)
    (mail,) = _of_bad_tags(swept)
    assert swept.company.scenario.owner in mail["to"]


def test_the_look_reads_no_value(swept: Swept) -> None:
    """Listing properties is enough: no value was read of what nobody started."""
    reads = [r["path"] for r in swept.requests if r["service"] == "keyvault" and r["path"].startswith("/secrets/")]
    started = {m.secret for m in [*swept.due, swept.bad]}
    assert {path.split("/")[2] for path in reads if path.split("/")[2].startswith("deploy-")} == started


def test_the_portal_shows_how_it_went(swept: Swept) -> None:
    """The instance's status has counts and no names."""
    assert swept.sweep["output"]["counts"] == {
        "started": 2,
        "secrets": 6,
        "managed": 4,
        "with tags that can't be used": 1,
        "not tagged": 1,
        "due": 2,
        "vaults": 2 + len(EMPTY_VAULTS),
        "vaults that can't be read": 1,
    }
    assert swept.sweep["customStatus"]["state"] == "done"
    assert "deploy-" not in json.dumps(swept.sweep)


def test_the_next_night_starts_nothing(swept: Swept) -> None:
    """What was rotated isn't due; only what stood in the way is told again."""
    instance = f"{DURABLE}/orchestrators/{names.ROTATE_DUE}/by-hand"
    swept.company.ask("POST", instance, expected=202)
    assert swept.company.finished("by-hand")["output"] == {"result": "forwarded", "instance": names.ROTATE_DUE}
    again = swept.company.finished(names.ROTATE_DUE)["output"]
    assert again["run_id"] != swept.sweep["output"]["run_id"]
    assert again["counts"]["started"] == 0
    assert len(_of_bad_tags(swept)) == 1


def _of_bad_tags(swept: Swept) -> list[dict[str, Any]]:
    sent = swept.company.stack.control.outbox()
    return [m for m in sent if swept.bad.secret in m["subject"] and "rekey-lead" in m["text"]]
