"""Nights on the real host: all is well; what a killed rotation left is told, then removed; what works stays."""

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
    """A company after three nightly checks, the last of them a day later by the services' clocks."""

    company: Company
    rotated: Managed
    killed: Managed
    suspended: Managed
    unwell: dict[str, Managed]
    """By the code of what is wrong with it."""
    killed_rotation: str
    before: list[Any]
    after_second: dict[str, Any]
    outputs: list[dict[str, Any]]

    @property
    def mails(self) -> list[dict[str, Any]]:
        """Return the digests of the nights."""
        return [m for m in self.company.stack.control.outbox() if "nightly check" in m["subject"].lower()]

    @property
    def untouched(self) -> list[Managed]:
        """Return all whose rotation wasn't killed."""
        return [self.rotated, self.suspended, *self.unwell.values()]


def night(company: Company) -> dict[str, Any]:
    """Let the timer start one nightly check and return its output when it has ended."""
    last = (company.status(names.RECONCILE).get("output") or {}).get("run_id")
    company.ask("POST", "/admin/functions/reconcile_timer", {"input": ""}, expected=202)

    def over() -> bool:
        return (company.status(names.RECONCILE).get("output") or {}).get("run_id") not in {None, last}

    wait_until(over, "the night is over", timeout=120)
    output: dict[str, Any] = company.status(names.RECONCILE)["output"]
    return output


def codes_of(mail: dict[str, Any]) -> list[str]:
    """Return the codes under which a digest's findings stand, in the mail's order."""
    return re.findall(r"^([a-z-]+) \(\d+\)$", mail["text"], re.MULTILINE)


def stopped(company: Company, how: str) -> Managed:
    """Stop a rotation between generating and publishing."""
    managed = company.manage()
    company.start({**managed.request, "reason": "manual"}, managed.instance)
    managed.reaches(names.VERIFY_CREDENTIAL)
    company.ask("POST", f"{DURABLE}/instances/{managed.instance}/{how}?reason=test", expected=202)
    wait_until(lambda: managed.status()["runtimeStatus"] in {"Terminated", "Suspended"}, f"{how} has worked")
    return managed


def unwell(company: Company) -> dict[str, Managed]:
    """Make a secret with each of the things that others do to them."""
    lost, endless, differing = (
        company.manage(),
        company.manage(secret={"expires_with_password": None}),
        company.manage(),
    )
    company.store(lost, tags=None, age_days=0)
    company.rotate(differing)
    made = {"password_of": differing.application, "index": 1}
    dates = {"expires_with_password": None, "expires_in_days": 50, "age_days": 0}
    company.store(differing, value=made, tags=differing.versions()[-1]["tags"], **dates)
    return {"policy-lost": lost, "no-expiry": endless, "expiry-differs": differing}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Run a company, one night when all is well, and two after rotations were stopped and secrets changed."""
    with running(tmp_path_factory.mktemp("nights")) as company:
        rotated = company.manage()
        company.rotate(rotated)
        outputs = [night(company)]
        ill = unwell(company)
        company.stack.control.propagation("entra", seconds=3600)
        killed, suspended = stopped(company, "terminate"), stopped(company, "suspend")
        company.stack.control.propagation("entra", seconds=0)
        before = [managed.everything() for managed in (rotated, suspended, *ill.values())]
        outputs.append(night(company))
        after_second = company.stack.control.state()
        company.stack.control.advance("P1DT1H")
        outputs.append(night(company))
        rotation_id = killed.status()["customStatus"]["rotation_id"]
        yield Nights(company, rotated, killed, suspended, ill, rotation_id, before, after_second, outputs)


def test_all_well_is_one_short_mail(nights: Nights) -> None:
    """It shows that the check runs."""
    assert nights.outputs[0]["findings"] == 0
    assert "All is well" in nights.mails[0]["text"]
    assert codes_of(nights.mails[0]) == []


def test_the_next_night_reports_and_removes_nothing(nights: Nights) -> None:
    """What was left is told with how to go on, and is all still there."""
    assert set(codes_of(nights.mails[1])) == {"rotation-dead", "rotation-suspended", "leftover-seen", *nights.unwell}
    state = nights.after_second
    staged = state["keyvault"]["vaults"][nights.company.scenario.staging]["secrets"]
    assert f"staged-{nights.killed_rotation}" in staged
    passwords = state["entra"]["applications"][nights.killed.application]["passwords"]
    assert [p["removed"] for p in passwords] == [None, None]


def test_a_day_later_what_was_left_is_removed_and_told(nights: Nights) -> None:
    """The password and the staged value are gone, the record is closed, and the mail says all of it."""
    by_hand, left = nights.killed.passwords()
    assert (by_hand["removed"], left["display_name"]) == (None, f"rekey/local/{nights.killed_rotation}")
    assert left["removed"]
    staging = nights.company.vault_state(nights.company.scenario.staging)
    assert f"staged-{nights.killed_rotation}" in staging["purged"]
    assert {"leftover-removed", "rotation-abandoned"} < set(codes_of(nights.mails[2]))
    assert left["key_id"] in nights.mails[2]["text"]
    (record,) = nights.killed.records()
    assert (record["state"], record["result"]) == ("closed", "abandoned")


def test_what_works_goes_on_working(nights: Nights) -> None:
    """The current values still sign in, and nothing else of anybody was touched, a suspended rotation's included."""
    assert [managed.everything() for managed in nights.untouched] == nights.before
    for managed in (nights.killed, nights.rotated, nights.suspended, nights.unwell["expiry-differs"]):
        assert managed.signs_in(managed.value())[0] == 200
    assert len(nights.killed.versions()) == 1
    staging = nights.company.vault_state(nights.company.scenario.staging)
    assert len(staging["secrets"]) == 1


def test_what_stays_wrong_is_told_every_night(nights: Nights) -> None:
    """Each secret stands under what is wrong with it, with what to do."""
    for mail in nights.mails[1:]:
        text = " ".join(mail["text"].split())
        for code, managed in nights.unwell.items():
            assert re.search(rf"{code} \(1\) What to do: .{{20,}}{managed.vault}/{managed.secret}", text), code
        assert re.search(rf"rotation-suspended \(1\) What to do: .*{nights.suspended.instance}", text)


def test_operators_get_one_mail_a_night(nights: Nights) -> None:
    """One digest a night, to the operators alone, that holds no value."""
    assert [mail["to"] for mail in nights.mails] == [[nights.company.scenario.operator]] * 3
    assert all(nights.company.scenario.canary not in mail["text"] + mail["html"] for mail in nights.mails)


def test_young_history_is_not_purged(nights: Nights) -> None:
    """The timer's own instance looks through all that ended, and leaves what is younger than the retention."""
    company = nights.company
    before = company.instances()
    company.ask("POST", "/admin/functions/purge_history_timer", {"input": ""}, expected=202)
    wait_until(lambda: bool(company.status(names.PURGE_HISTORY)), "the timer has started it")
    assert company.finished(names.PURGE_HISTORY)["output"] == {"result": "done", "purged": 0, "kept": 0}
    assert set(before) <= set(company.instances())
