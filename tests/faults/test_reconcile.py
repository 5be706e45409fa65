"""The nightly check, killed wherever it removes or closes something: what is needed stays, what is gone is told."""

from local.processes import wait_until
from rekey import names
from tests.faults.conftest import Begin
from tests.faults.invariants import kept_notices, live_passwords, record, versions
from tests.faults.rotating import DURABLE, Hit, Rotating
from tests.faults.watching import signs_in

SECOND_NIGHT = (names.FIND_STAGED_LEFTOVERS, names.FIND_STUCK_ROTATIONS)


def _terminated(rotating: Rotating) -> None:
    """Terminate the rotation while the first sign-in with the new password is withheld: made, staged, not published."""
    held = rotating.hold("entra", path=rotating.control.description["tenant"], when="before")
    rotating.begin(watched=False)
    held.wait()
    status, answer = rotating.stack.call("POST", f"{DURABLE}/instances/{rotating.instance}/terminate?reason=test")
    assert status == 202, answer
    rotating.wait_end()
    held.release()


def _night(rotating: Rotating) -> None:
    status, answer = rotating.stack.call("POST", "/admin/functions/reconcile_timer", {"input": ""})
    assert status == 202, answer


def _nights(rotating: Rotating) -> int:
    """Return how many nights' mails there are."""
    return len(_mails(rotating))


def _mails(rotating: Rotating) -> list[str]:
    return [m["text"] for m in rotating.control.outbox() if "nightly check" in m["subject"].lower()]


def test_nothing_that_is_needed_goes_and_everything_gone_is_told(company: Begin) -> None:
    """Killed after each part of the second night that changes something, and while the issuer answers the removal."""
    rotating = company(hits=[Hit(step, "end", 2) for step in SECOND_NIGHT])
    _terminated(rotating)
    by_hand, _left = live_passwords(rotating)
    _night(rotating)
    wait_until(lambda: _nights(rotating) == 1, "the first night is told", timeout=90)
    assert len(live_passwords(rotating)) == 2
    rotating.control.advance("P1DT1H")
    removing = rotating.hold("graph", path="removePassword", when="after")
    _night(rotating)
    removing.wait()
    rotating.kill_worker()
    removing.release()
    wait_until(lambda: _nights(rotating) == 2, "the second night is told", timeout=180)
    assert rotating.hits_left() == []
    assert live_passwords(rotating) == [by_hand]
    assert signs_in(rotating.stack, by_hand.value)
    assert [version.enabled for version in versions(rotating)] == [True]
    assert (record(rotating).state, record(rotating).result) == ("closed", "abandoned")
    assert "leftover-removed (2)" in _mails(rotating)[1]
    assert kept_notices(rotating) == []
