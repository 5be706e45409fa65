"""However often, however late and under whatever id a rotation is asked for, a secret has one at a time."""

import pytest

from tests.e2e.company import Company
from tests.e2e.managed import Managed

ONCE = ["addPassword", "removePassword"]
"""What one rotation asks Graph to change."""


@pytest.fixture
def in_grace(company: Company) -> Managed:
    """Return a secret whose rotation, started by an event, is in its grace period."""
    managed = company.manage(event=True, grace="PT4S")
    managed.reaches("grace")
    company.drained()
    return managed


def test_an_event_that_is_sent_again_during_a_rotation_changes_nothing(company: Company, in_grace: Managed) -> None:
    """Two more copies while the rotation runs are taken from the queue and start nothing."""
    company.raise_event(in_grace)
    company.drained()
    assert in_grace.status()["runtimeStatus"] == "Running"
    assert in_grace.finished()["output"]["result"] == "done"
    assert in_grace.changes() == ONCE
    assert len(in_grace.records()) == 1


def test_an_event_that_is_sent_again_after_a_rotation_finds_nothing_due(company: Company) -> None:
    """An event is a hint: the new version is judged, it isn't due, and nobody is told anything more."""
    managed = company.manage(event=True)
    rotated = managed.ends("done")
    company.drained()
    told = managed.told()
    company.raise_event(managed, version=managed.versions()[0]["id"])
    reason = managed.ends("not-due")["output"]["reason"]
    assert "due from" in reason
    assert managed.changes() == ONCE
    assert managed.told() == told
    assert [r["rotation_id"] for r in managed.records()] == [rotated["output"]["rotation_id"]]


def test_a_restart_during_a_rotation_is_forwarded_to_it(company: Company, in_grace: Managed) -> None:
    """The durable HTTP API restarts under a new id by default: that instance ends `forwarded`, the other goes on."""
    restarted = company.restart(in_grace.instance)
    assert restarted != in_grace.instance
    assert company.finished(restarted)["output"] == {"result": "forwarded", "instance": in_grace.instance}
    assert in_grace.finished()["output"]["result"] == "done"
    assert in_grace.changes() == ONCE


def test_a_restart_after_a_rotation_that_an_event_started_is_judged_anew(company: Company) -> None:
    """It repeats its input: an event's is a hint, and the new version isn't due."""
    managed = company.manage(event=True)
    managed.ends("done")
    restarted = company.restart(managed.instance)
    assert company.finished(restarted)["output"]["result"] == "forwarded"
    managed.ends("not-due")
    assert managed.changes() == ONCE


def test_a_restart_after_a_rotation_that_somebody_started_rotates_again(company: Company) -> None:
    """By hand is an order: the second rotation knows the first one's password by its label and retires it."""
    managed = company.manage()
    first = company.rotate(managed)["output"]["rotation_id"]
    between = managed.value()
    restarted = company.restart(managed.instance)
    assert company.finished(restarted)["output"]["result"] == "forwarded"
    second = managed.finished()["output"]["rotation_id"]
    assert second != first
    assert managed.changes() == ONCE * 2
    assert managed.working() == [managed.value()]
    assert managed.signs_in(between)[0] == 401


def test_a_password_that_rekey_made_is_retired_without_being_adopted(company: Company) -> None:
    """Only a password made by hand needs rekey-adopt: the next rotation recognises Rekey's own by label and key id."""
    managed = company.manage(tags={"rekey-adopt": None})
    by_hand = managed.value()
    company.rotate(managed)
    made = managed.value()
    assert sorted(managed.working()) == sorted([by_hand, made])
    assert company.rotate(managed)["output"]["result"] == "done"
    assert sorted(managed.working()) == sorted([by_hand, managed.value()])
    assert managed.signs_in(made)[0] == 401


def test_an_instance_under_another_id_starts_the_right_one(company: Company) -> None:
    """Whoever lets the durable HTTP API choose an id gets `forwarded`; the rotation runs under its own."""
    managed = company.manage()
    other = company.start({**managed.request, "reason": "manual"})
    assert company.finished(other)["output"] == {"result": "forwarded", "instance": managed.instance}
    assert managed.finished()["output"]["result"] == "done"
    assert managed.changes() == ONCE


def test_the_same_id_can_not_be_started_twice_at_once(company: Company, in_grace: Managed) -> None:
    """The durable HTTP API refuses an id that is running, and the operator API says which instance that is."""
    company.ask("POST", f"/runtime/webhooks/durabletask/orchestrators/rotate_secret/{in_grace.instance}", expected=409)
    answer = company.ask("POST", "/api/rotations", in_grace.request, expected=202)
    assert (answer["instance"], answer["started"]) == (in_grace.instance, False)
    assert in_grace.finished()["output"]["result"] == "done"
    assert in_grace.changes() == ONCE


def test_names_are_one_secret_in_any_case(company: Company, in_grace: Managed) -> None:
    """Key Vault's names don't differ in case: a start in capitals is the rotation that is running."""
    loud = {"vault": in_grace.vault.upper(), "secret": in_grace.secret.upper()}
    assert company.finished(company.start(loud))["output"]["instance"] == in_grace.instance
    assert in_grace.finished()["output"]["result"] == "done"
    assert in_grace.changes() == ONCE
