"""Two nights on the real host: what a killed rotation left is reported, then removed; nothing that works is touched."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.processes import wait_until
from rekey import names
from tests.e2e.company import DURABLE, Company, running
from tests.e2e.managed import Managed


@dataclass(frozen=True)
class Nights:
    """A company after two nightly checks, a day apart by the services' clocks."""

    company: Company
    killed: Managed
    before: dict[str, Any]
    rotated: Managed
    first: dict[str, Any]
    second: dict[str, Any]
    after_first: dict[str, Any]
    rotation_id: str

    @property
    def mails(self) -> list[dict[str, Any]]:
        """Return the digests of the nights."""
        return [m for m in self.company.stack.control.outbox() if "nightly check" in m["subject"]]


def codes_of(mail: dict[str, Any]) -> list[str]:
    """Return the codes under which a digest's findings stand, in the mail's order."""
    return re.findall(r"^([a-z-]+) \(\d+\)$", mail["text"], re.MULTILINE)


def night(company: Company) -> dict[str, Any]:
    """Let the timer start one nightly check and return the instance's status when it has ended."""
    last = (company.status(names.RECONCILE).get("output") or {}).get("run_id")
    company.ask("POST", "/admin/functions/reconcile_timer", {"input": ""}, expected=202)

    def over() -> bool:
        return (company.status(names.RECONCILE).get("output") or {}).get("run_id") not in {None, last}

    wait_until(over, "the night is over", timeout=120)
    return company.status(names.RECONCILE)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Run a company in which a rotation was terminated between generating and publishing, and two nights."""
    with running(tmp_path_factory.mktemp("nights")) as company:
        rotated, killed = company.manage(), company.manage()
        company.rotate(rotated)
        company.stack.control.propagation("entra", seconds=3600)
        company.start({**killed.request, "reason": "manual"}, killed.instance)
        killed.reaches(names.VERIFY_CREDENTIAL)
        company.ask("POST", f"{DURABLE}/instances/{killed.instance}/terminate?reason=test", expected=202)
        rotation_id = killed.finished()["customStatus"]["rotation_id"]
        company.stack.control.propagation("entra", seconds=0)
        before = rotated.everything()
        first = night(company)
        after_first = company.stack.control.state()
        company.stack.control.advance("P1DT1H")
        second = night(company)
        yield Nights(company, killed, before, rotated, first, second, after_first, rotation_id)


def test_first_night_reports_and_removes_nothing(nights: Nights) -> None:
    """What was left is told with how to go on, and is all still there."""
    assert nights.first["output"]["result"] == "told"
    codes = codes_of(nights.mails[0])
    assert codes == ["rotation-dead", "leftover-seen"]
    state = nights.after_first
    assert nights.rotation_id in str(state["keyvault"]["vaults"][nights.company.scenario.staging]["secrets"])
    passwords = state["entra"]["applications"][nights.killed.application]["passwords"]
    assert [p["removed"] for p in passwords] == [None, None]


def test_second_night_removes_what_was_left_and_tells(nights: Nights) -> None:
    """A day later the password and the staged value are gone, the record is closed, and the mail says all of it."""
    by_hand, left = nights.killed.passwords()
    assert (by_hand["removed"], left["display_name"]) == (None, f"rekey/local/{nights.rotation_id}")
    assert left["removed"]
    staging = nights.company.vault_state(nights.company.scenario.staging)
    assert (staging["secrets"], staging["deleted"]) == ({}, {})
    assert codes_of(nights.mails[1]) == ["leftover-removed", "rotation-abandoned"]
    assert left["key_id"] in nights.mails[1]["text"]
    (record,) = nights.killed.records()
    assert (record["state"], record["result"]) == ("closed", "abandoned")


def test_what_works_goes_on_working(nights: Nights) -> None:
    """Both secrets' own values still sign in, and nothing else of either was touched."""
    for managed in (nights.killed, nights.rotated):
        assert managed.signs_in(managed.value())[0] == 200
    assert nights.rotated.everything() == nights.before
    assert len(nights.killed.versions()) == 1


def test_operators_get_one_mail_a_night(nights: Nights) -> None:
    """One digest a night, to the operators alone, that names no value."""
    assert [mail["to"] for mail in nights.mails] == [[nights.company.scenario.operator]] * 2
    assert all(nights.company.scenario.canary not in mail["text"] for mail in nights.mails)
