"""Where an open record's rotation stands: only an instance that certainly doesn't walk it makes it dead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rekey.operator_view import Instance
from rekey.reconcile.standing import DEAD, Standing, standing

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MINE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def instance(status: str, custom: Any = None) -> Instance:
    return Instance(id="rotate.kv.s", runtime_status=status, custom_status=custom, created=NOW, last_updated=NOW)


def says(rotation_id: str, *, since: float = 0, wakes: float | None = None) -> dict[str, Any]:
    """Return a custom status; times are in hours before and after now."""
    ahead = (NOW + timedelta(hours=wakes)).isoformat() if wakes is not None else None
    return {"rotation_id": rotation_id, "since": (NOW - timedelta(hours=since)).isoformat(), "next": ahead}


@pytest.mark.parametrize("status", ["Completed", "Failed", "Terminated"])
def test_an_instance_that_has_ended_walks_nothing(status: str) -> None:
    """However it ended, its open record is nobody's."""
    assert standing(MINE, instance(status, says(MINE)), NOW) is Standing.ENDED


def test_an_instance_that_is_gone_walks_nothing() -> None:
    """Its history was purged, or the task hub is another."""
    assert standing(MINE, None, NOW) is Standing.GONE


@pytest.mark.parametrize("status", ["Running", "Pending", "ContinuedAsNew", "Suspended"])
@pytest.mark.parametrize("custom", [None, {}, "odd", says(MINE), {"rotation_id": 7, "since": "yesterday"}])
def test_an_instance_that_may_walk_it_is_alive(status: str, custom: Any) -> None:
    """What has not said which rotation it walks, or said it oddly, may be walking this one."""
    assert standing(MINE, instance(status, custom), NOW) not in DEAD


def test_an_instance_that_walks_another_rotation_left_this_one() -> None:
    """A restarted instance mints a new rotation."""
    assert standing(MINE, instance("Running", says(OTHER)), NOW) is Standing.ELSEWHERE


def test_a_suspended_instance_is_waiting_for_somebody() -> None:
    """It may be resumed at any time."""
    assert standing(MINE, instance("Suspended", says(MINE, since=100)), NOW) is Standing.SUSPENDED


@pytest.mark.parametrize(
    ("since", "wakes", "expected"),
    [
        (1, None, Standing.LIVE),
        (25, None, Standing.STALLED),
        (25, 1, Standing.LIVE),
        (200, -1, Standing.LIVE),
        (200, -25, Standing.STALLED),
    ],
)
def test_a_step_that_takes_a_day_is_stalled(since: float, wakes: float | None, expected: Standing) -> None:
    """Unless it waits for a time that is to come or has just passed."""
    assert standing(MINE, instance("Running", says(MINE, since=since, wakes=wakes)), NOW) is expected
