"""The app's process is killed, at every place where a rotation could be torn in two."""

import random
import sys
from collections.abc import Iterator

import pytest

from local.processes import wait_until
from rekey import names
from tests.faults.conftest import Begin
from tests.faults.invariants import check_done
from tests.faults.rotating import ACTIVITIES, ENDED, Hit, Rotating
from tests.faults.walking import REQUESTS

MAILS_SENT = 3
MOMENTS = ("before", "after")
"""A request that never got there; one that was done while its answer got lost."""


def _times(activity: str) -> int:
    return MAILS_SENT if activity == names.NOTIFY_OWNERS else 1


def _every_place() -> list[Hit]:
    """Return a kill at the start and one at the end of every activity, each of which runs three times therefore."""
    return [
        hit
        for activity in ACTIVITIES
        for run in range(_times(activity))
        for hit in (Hit(activity, "start", 3 * run + 1), Hit(activity, "end", 3 * run + 2))
    ]


def _single_places() -> Iterator[Hit]:
    for activity in ACTIVITIES:
        for run in range(_times(activity)):
            yield Hit(activity, "start", run + 1)
            yield Hit(activity, "end", run + 1)


PLACES = tuple(_single_places())


def _every_end() -> list[Hit]:
    """Return a kill at the end of every activity: all it did is done, and nobody knows."""
    return [Hit(activity, "end", 2 * run + 1) for activity in ACTIVITIES for run in range(_times(activity))]


def test_one_rotation_survives_a_kill_at_every_end(company: Begin) -> None:
    """A rotation whose every activity is killed once it has done all it does completes as if nothing had been."""
    rotating = company(hits=_every_end()).begin()
    check_done(rotating)
    assert rotating.hits_left() == []


@pytest.mark.exhaustive
def test_one_rotation_survives_a_kill_at_every_start_and_every_end(company: Begin) -> None:
    """A rotation whose every activity is killed at its start and then at its end completes as if nothing had been."""
    rotating = company(hits=_every_place()).begin()
    check_done(rotating)
    assert rotating.hits_left() == []


def _killed_at_request(rotating: Rotating, purpose: str, moment: str) -> None:
    """Kill the app while that request, or its answer, is under way; a request that was never sent is a failure."""
    request = REQUESTS[purpose]
    held = rotating.hold(request.service, method=request.method, path=request.path, skip=request.skip, when=moment)
    rotating.begin()
    wait_until(
        lambda: held.holds() or rotating.status().get("runtimeStatus") in ENDED, f"{purpose} is held", timeout=90
    )
    assert held.holds(), f"there was no request to {purpose}"
    rotating.kill_worker()
    held.release()
    check_done(rotating)


def test_kill_between_the_answer_of_add_password_and_the_staging_write(company: Begin) -> None:
    """A password whose value got lost with the app before it was staged is replaced by another one."""
    _killed_at_request(company(), "stage, asking how to sign in", "before")


@pytest.mark.exhaustive
def test_kill_at_some_request(company: Begin, chance: random.Random) -> None:
    """A kill while one of the requests that publish and retire is under way leaves no trace."""
    wanted = ("publish", "read back", "delete the staged value", "purge the staged value", "remove the old password")
    purpose, moment = chance.choice(wanted), chance.choice(MOMENTS)
    sys.stdout.write(f"{purpose}, {moment}\n")
    _killed_at_request(company(), purpose, moment)


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("purpose", REQUESTS)
def test_kill_at_any_request(company: Begin, purpose: str, moment: str) -> None:
    """A kill while this request is under way, before or after it was done, leaves no trace."""
    _killed_at_request(company(), purpose, moment)


@pytest.mark.exhaustive
@pytest.mark.parametrize("hit", PLACES, ids=lambda hit: f"{hit.activity}-{hit.at}-{hit.occurrence}")
def test_kill_at_any_place(company: Begin, hit: Hit) -> None:
    """A single kill at the start or the end of this activity leaves no trace."""
    rotating = company(hits=[hit]).begin()
    check_done(rotating)
    assert rotating.hits_left() == []


def test_everything_twice(company: Begin) -> None:
    """A rotation whose every activity is executed twice in a row is as if each had been once."""
    check_done(company(environment={"LOCAL_HOST_TWICE": "1"}).begin())


def test_kill_while_the_event_is_taken(company: Begin) -> None:
    """An event whose message dies with the app comes back, and causes exactly one rotation."""
    rotating = company(environment={"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:02"})
    stopped = rotating.stop_worker()
    rotating.begin()
    rotating.wait_dequeued()
    rotating.kill(stopped)
    check_done(rotating)
    assert rotating.rotations() == [rotating.instance]
