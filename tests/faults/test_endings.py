"""Rotations that can't go on: refused for good, overtaken by somebody, in need of somebody."""

from dataclasses import dataclass
from typing import Any, override

import pytest

from local.processes import wait_until
from local.scenario import Scenario
from rekey import names
from tests.faults.conftest import Begin
from tests.faults.invariants import (
    check_done,
    check_mails,
    check_watched,
    company,
    kept_notices,
    live_passwords,
    record,
    versions,
    wait_nothing_staged,
)
from tests.faults.rotating import Hold, Rotating
from tests.faults.watching import signs_in


def _held_at_verifying(rotating: Rotating) -> Hold:
    """Start, and withhold the first sign-in with the new password: made, staged, not published."""
    held = rotating.hold("entra", path=rotating.control.description["tenant"], when="before")
    rotating.begin()
    held.wait()
    return held


def _check_undone(rotating: Rotating) -> None:
    """Nothing is left of the rotation but its record: the old password works, the vault is as somebody else left it."""
    wait_nothing_staged(rotating)
    application = company(rotating).entra.applications[rotating.scenario.application]
    assert live_passwords(rotating) == [application.passwords[0]]
    assert len(application.passwords) == 2
    assert all(version.enabled for version in versions(rotating))
    assert names.TAG_ROTATION_ID not in versions(rotating)[-1].tags


def _end_on_record(rotating: Rotating) -> tuple[str, str]:
    found = record(rotating)
    return found.state, found.result


@pytest.mark.exhaustive
def test_publication_that_is_forbidden_is_undone(company: Begin) -> None:
    """Without the right to write the vault nothing is published: password and staged value go, the owners are told."""
    rotating = company()
    held = _held_at_verifying(rotating)
    vaults = {rotating.scenario.vault: {"roles": {"rekey": "Key Vault Secrets User"}}}
    rotating.control.seed({"vaults": vaults})
    held.release()
    assert rotating.wait_end()["runtimeStatus"] == "Failed"
    _check_undone(rotating)
    assert len(versions(rotating)) == 1
    check_mails(rotating, ("starting", "failed"))
    check_watched(rotating)
    assert _end_on_record(rotating) == ("closed", "failed")


@dataclass(frozen=True)
class _NobodySignsIn(Scenario):
    """The application has no service principal in this tenant: AADSTS7000229, whatever the password."""

    @override
    def people_and_machines(self) -> dict[str, Any]:
        document = super().people_and_machines()
        document["applications"][self.application]["service_principal"] = False
        return document


@pytest.mark.exhaustive
def test_password_that_is_refused_for_good_is_undone(company: Begin) -> None:
    """A password that Entra refuses for another reason than being new is removed before anybody gets it."""
    rotating = company(scenario=_NobodySignsIn(grace="PT1S")).begin(watched=False)
    ended = rotating.wait_end()
    assert ended["runtimeStatus"] == "Failed"
    assert "AADSTS7000229" in str(ended["output"])
    _check_undone(rotating)
    assert len(versions(rotating)) == 1
    check_mails(rotating, ("starting", "failed"))
    assert _end_on_record(rotating) == ("closed", "failed")


@pytest.mark.exhaustive
def test_somebody_elses_version_stays(company: Begin) -> None:
    """A version that somebody sets during the rotation stays the newest; the rotation undoes its own and says so."""
    rotating = company()
    held = _held_at_verifying(rotating)
    theirs = {"value": {"password_of": rotating.scenario.application}, "tags": {"set": "by hand"}}
    rotating.control.seed({"vaults": {rotating.scenario.vault: {"secrets": {rotating.scenario.secret: theirs}}}})
    held.release()
    ended = rotating.wait_end()
    assert (ended["runtimeStatus"], ended["output"]["result"]) == ("Completed", "superseded")
    _check_undone(rotating)
    assert [version.tags for version in versions(rotating)[1:]] == [{"set": "by hand"}]
    check_watched(rotating)
    assert _end_on_record(rotating) == ("closed", "superseded")
    assert kept_notices(rotating) == []


def _forbid_connection(rotating: Rotating, *rights: str) -> None:
    member = {"projects": {rotating.scenario.project: list(rights)}}
    organization = {"members": {"rekey": member}}
    rotating.control.seed({"organizations": {rotating.scenario.organization: organization}})


def _stuck_at_consumer(rotating: Rotating) -> None:
    """Take the right to edit the connection away after the preflight, and wait until somebody is needed."""
    held = _held_at_verifying(rotating)
    _forbid_connection(rotating, "use")
    held.release()
    assert rotating.wait_status("needs-you")["step"] == names.UPDATE_CONSUMER


def test_consumer_that_refuses_tears_nothing_down(company: Begin) -> None:
    """When a consumer refuses for good, somebody is told once, both passwords work and the old one isn't retired."""
    rotating = company()
    _stuck_at_consumer(rotating)
    wait_nothing_staged(rotating)
    old, new = live_passwords(rotating)
    assert versions(rotating)[-1].value == new.value
    assert signs_in(rotating.stack, old.value)
    assert signs_in(rotating.stack, new.value)
    check_mails(rotating, ("starting", "needs you"))
    check_watched(rotating)
    assert record(rotating).state == "open"
    assert rotating.status()["runtimeStatus"] == "Running"


@pytest.mark.exhaustive
def test_consumer_that_gives_in_later_is_switched(company: Begin) -> None:
    """A rotation that waits for somebody goes on by itself once it may, and ends as any other."""
    rotating = company()
    _stuck_at_consumer(rotating)
    _forbid_connection(rotating, "administer")
    wait_until(lambda: rotating.status()["runtimeStatus"] == "Completed", "it went on by itself", timeout=500)
    check_done(rotating, mails=("starting", "needs you", "switched", "done"))
