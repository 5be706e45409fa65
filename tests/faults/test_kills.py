"""The app's process is killed, at every place where a rotation could be torn in two."""

from tests.faults.conftest import Begin
from tests.faults.invariants import check_done
from tests.faults.rotating import ACTIVITIES, Hit

MAILS_SENT = 3


def every_place() -> list[Hit]:
    """Return a kill at the start and one at the end of every activity: each but the mails' runs three times."""
    return [
        hit
        for activity in ACTIVITIES
        for run in range(MAILS_SENT if activity == "notify_owners" else 1)
        for hit in (Hit(activity, "start", 3 * run + 1), Hit(activity, "end", 3 * run + 2))
    ]


def test_one_rotation_survives_a_kill_at_every_start_and_every_end(company: Begin) -> None:
    """A rotation whose every activity is killed at its start and then at its end completes as if nothing had been."""
    rotating = company(hits=every_place()).begin()
    check_done(rotating)
    assert rotating.hits_left() == []
