"""An attempt at a step hangs, another one finishes the whole rotation, then the first one wakes up and goes on."""

from pathlib import Path

import pytest

from rekey import names
from tests.faults.conftest import Begin
from tests.faults.invariants import check_done, live_passwords, wait_nothing_staged
from tests.faults.rotating import ACTIVITIES, Hit, Rotating

SOON = {"LOCAL_HOST_LEASE_SECONDS": "4"}
"""Work that hangs is given to another attempt while the first is still there."""


def _wait_others_through(rotating: Rotating) -> None:
    """Wait until another attempt's password is published and the old one retired.

    No longer: after 30 s the attempt that is held would take its request for lost, and not be late but repeated.
    """
    rotating.wait_step(names.RETIRE_OLD_CREDENTIAL, outcome="ok")


@pytest.mark.exhaustive
def test_late_answer_of_add_password_is_withdrawn(company: Begin) -> None:
    """An attempt that gets addPassword's answer after another one published its own removes what it made."""
    rotating = company(environment=SOON)
    # Reads lag so far behind that nobody else can have seen that password.
    rotating.control.propagation("graph", seconds=600, conflict_seconds=0)
    held = rotating.hold("graph", path="addPassword", when="after")
    rotating.begin()
    held.wait()
    _wait_others_through(rotating)
    assert len(live_passwords(rotating)) == 2
    held.release()
    rotating.wait_step(names.GENERATE_CREDENTIAL, code="overtaken")
    assert len(live_passwords(rotating)) == 1
    check_done(rotating)


@pytest.mark.exhaustive
def test_late_request_of_add_password_is_withdrawn(company: Begin) -> None:
    """A password made only after the rotation looked for leftovers doesn't outlive the attempt that asked for it."""
    rotating = company(environment=SOON)
    # Nobody else can have seen that password, and a removal right after an addition is refused at first.
    rotating.control.propagation("graph", seconds=600, conflict_seconds=3)
    held = rotating.hold("graph", path="addPassword", when="before")
    rotating.begin()
    held.wait()
    _wait_others_through(rotating)
    held.release()
    rotating.wait_step(names.GENERATE_CREDENTIAL, code="overtaken")
    check_done(rotating)


@pytest.mark.exhaustive
@pytest.mark.parametrize("path", ["/secrets/staged-", "/deletedsecrets/staged-"], ids=["deleted", "purged"])
def test_late_staging_write_while_the_staged_value_is_destroyed(company: Begin, path: str) -> None:
    """A value staged while the published one is being destroyed, or refused because of that, leaves nothing either."""
    rotating = company(environment=SOON)
    rotating.control.propagation("graph", seconds=600, conflict_seconds=0)
    held = rotating.hold("keyvault", method="PUT", path="/secrets/staged-", when="before")
    destroying = rotating.hold("keyvault", method="DELETE", path=f"^{path}", when="after")
    rotating.begin()
    held.wait()
    destroying.wait()
    if "deleted" in path:
        wait_nothing_staged(rotating)
    held.release()
    rotating.wait_step(names.GENERATE_CREDENTIAL, code="overtaken")
    destroying.release()
    check_done(rotating)


@pytest.mark.exhaustive
def test_late_staging_writes_swap_nothing_and_leave_nothing(company: Begin) -> None:
    """A value that an overtaken attempt stages is not what gets published, and one staged after that is destroyed."""
    rotating = company(environment=SOON)
    before, after = (rotating.hold("keyvault", method="PUT", path="/secrets/staged-", when="before") for _ in range(2))
    publishing = rotating.hold("keyvault", method="PUT", path=f"/secrets/{rotating.scenario.secret}", when="before")
    rotating.begin()
    before.wait()
    after.wait()
    publishing.wait()
    before.release()
    rotating.wait_step(names.GENERATE_CREDENTIAL, code="overtaken")
    publishing.release()
    _wait_others_through(rotating)
    after.release()
    rotating.wait_step(names.GENERATE_CREDENTIAL, code="overtaken", times=2)
    check_done(rotating)


@pytest.mark.exhaustive
def test_late_publication_changes_nothing_for_readers(company: Begin) -> None:
    """A publication that arrives twice, which Key Vault can't refuse, is another version of the very same password."""
    # Key Vault has no conditional write: the attempt that hangs between its look and its PUT writes all the same.
    rotating = company(environment=SOON)
    held = rotating.hold("keyvault", method="PUT", path=f"/secrets/{rotating.scenario.secret}", when="before")
    rotating.begin()
    held.wait()
    rotating.wait_end()
    held.release()
    rotating.wait_step(names.SET_SECRET_VERSION, times=2)
    check_done(rotating, same_again=1)


@pytest.mark.exhaustive
def test_late_write_to_a_consumer_waits_for_its_turn(company: Begin) -> None:
    """While one attempt writes to a service connection, no other one touches it; both write the same."""
    rotating = company(environment=SOON)
    held = rotating.hold("azuredevops", method="PUT", path="serviceendpoint", when="before")
    rotating.begin()
    held.wait()
    rotating.wait_step(names.UPDATE_CONSUMER, code="object-busy")
    assert rotating.requests("azuredevops", "PUT", "serviceendpoint")[1:] == []
    held.release()
    check_done(rotating)


@pytest.mark.exhaustive
def test_late_removal_of_the_old_password_is_harmless(company: Begin) -> None:
    """Removing the old password once more, after the rotation has ended, is no error and touches no other."""
    rotating = company(environment=SOON)
    held = rotating.hold("graph", path="removePassword", when="before")
    rotating.begin()
    held.wait()
    rotating.wait_end()
    held.release()
    rotating.wait_step(names.RETIRE_OLD_CREDENTIAL, times=2, outcome="ok")
    check_done(rotating)


def _paused_everywhere(rotating_hits: list[Hit], company: Begin, until: Path) -> Rotating:
    """Let the rotation end with attempts paused at all these places, then let go and wait until all have reacted."""
    rotating = company(environment=SOON, hits=rotating_hits).begin()
    rotating.wait_end(timeout=300)
    assert rotating.hits_left() == []
    until.touch()
    for step in {hit.activity for hit in rotating_hits}:
        late = [hit for hit in rotating_hits if hit.activity == step]
        rotating.wait_step(step, times=1 + len(late))
    return rotating


def _start_and_end(activity: str, until: Path) -> list[Hit]:
    return [Hit(activity, "start", 1, until), Hit(activity, "end", 2, until)]


@pytest.mark.exhaustive
def test_attempts_paused_around_the_irrevocable_steps(company: Begin, tmp_path: Path) -> None:
    """Attempts that were paused around generating, publishing and retiring wake up after the end and change nothing."""
    until = tmp_path / "go-on"
    steps = (names.GENERATE_CREDENTIAL, names.SET_SECRET_VERSION, names.RETIRE_OLD_CREDENTIAL)
    hits = [hit for step in steps for hit in _start_and_end(step, until)]
    check_done(_paused_everywhere(hits, company, until))


@pytest.mark.exhaustive
@pytest.mark.parametrize("activity", ACTIVITIES)
def test_attempts_paused_around_any_step(company: Begin, tmp_path: Path, activity: str) -> None:
    """Two attempts at a step, paused before and after its work, wake up after the end and change nothing."""
    until = tmp_path / "go-on"
    check_done(_paused_everywhere(_start_and_end(activity, until), company, until))
