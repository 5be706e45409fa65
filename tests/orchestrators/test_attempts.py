"""Attempts: how often, after which pauses, and when one gives up."""

from datetime import timedelta
from itertools import pairwise

import pytest

from orchestrators.attempts import LONGEST_PAUSE, PATIENCE, pause
from rekey import names
from rekey.model import RetryAfter
from tests.orchestrators.scripts import BUSY, DIES, LOST, REFUSED, World, for_ever

STEP = names.PREFLIGHT


def _pauses(world: World) -> list[float]:
    at = [c.at for c in world.engine.calls if c.name == STEP]
    return [(later - earlier).total_seconds() for earlier, later in pairwise(at)]


def test_permanent_error_is_not_repeated() -> None:
    """What won't help is done once."""
    world = World().says(STEP, for_ever(REFUSED))
    world.run()
    assert world.steps.count(STEP) == 1


@pytest.mark.parametrize("trouble", [BUSY, LOST, DIES], ids=["busy", "lost", "dies"])
def test_trouble_is_repeated_with_growing_pauses_for_a_quarter_of_an_hour(trouble: object) -> None:
    """Pauses double with jitter up to the longest, and all of them together stay within the patience."""
    world = World().says(STEP, for_ever(trouble))  # type: ignore[arg-type]
    instance = world.run()
    pauses = _pauses(world)
    for number, seconds in enumerate(pauses):
        expected = min(LONGEST_PAUSE, 2.0**number)
        assert 0.5 * expected <= seconds < 1.5 * expected + 1
    assert PATIENCE / 2 < timedelta(seconds=sum(pauses)) <= PATIENCE + timedelta(seconds=10)
    assert f"(tried {len(pauses) + 1} times)" in instance.failure


def test_service_is_not_asked_earlier_than_it_wants() -> None:
    """Retry-After is a lower bound; without one the backoff holds."""
    world = World().says(STEP, RetryAfter("throttled", "x", 42.0), RetryAfter("throttled", "x", 0.0), BUSY)
    world.run()
    pauses = _pauses(world)
    assert 42 <= pauses[0] < 43
    assert all(p < 10 for p in pauses[1:])


def test_wait_beyond_the_patience_gives_up_at_once() -> None:
    """A service that asks for an hour isn't waited for within a step."""
    world = World().says(STEP, for_ever(RetryAfter("throttled", "x", 3600.0)))
    assert world.run().failed
    assert world.steps.count(STEP) == 1


def test_jitter_is_the_same_on_every_replay_and_different_elsewhere() -> None:
    """The pause depends on who waits and how often it has, and on nothing else."""
    assert pause("a step", 3, None) == pause("a step", 3, None)
    assert len({pause(f"{n} step", 3, None) for n in range(50)}) > 40


def test_thrown_text_reaches_nobody() -> None:
    """What an activity throws is kept in clear by the engine: no step's payload repeats it."""
    world = World().says(STEP, for_ever(DIES))
    instance = world.run()
    assert "ended without an outcome" in instance.failure
    assert "canary" not in instance.failure + "".join(str(c.payload) for c in world.engine.calls)
