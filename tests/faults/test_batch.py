"""Everything is killed at once, again and again, while a batch of rotations is started and walked."""

import random
import sys
import threading
import time
from pathlib import Path

import pytest

from local.storage import AzuriteMissingError
from tests.faults.batch import Batch, BatchStack

FEW, MANY = 16, 40
SHORTEST, LONGEST = 0.5, 0.175
"""Seconds that a host lives before it is killed, at most for each rotation: undisturbed they take twice that long."""


def _kill_some_time(stack: BatchStack, chance: random.Random) -> bool:
    """Kill everything at a moment of chance and start it again; whether anything was under way."""
    moment = chance.uniform(SHORTEST, LONGEST * stack.scenario.size)
    time.sleep(moment)
    under_way = not stack.all_ended()
    stack.kill()
    sys.stdout.write(f"killed after {moment:.1f} s, {'under way' if under_way else 'ended before'}\n")
    stack.start_again()
    return under_way


def _survives(folder: Path, chance: random.Random, *, size: int, kills: int) -> None:
    """Kill everything up to that often; in the end every rotation is done, once."""
    with BatchStack(folder, Batch.of(size)) as stack:
        starting = threading.Thread(target=stack.start_all, daemon=True)
        starting.start()
        hits = 0
        while hits < kills and _kill_some_time(stack, chance):
            hits += 1
        starting.join(timeout=120)
        stack.wait_all()
        stack.check()
    assert hits > 0


def test_batch_survives_that_everything_is_killed(tmp_path: Path, chance: random.Random) -> None:
    """Of 16 rotations under way that are killed at once twice, each completes with nothing lost or doubled."""
    try:
        _survives(tmp_path, chance, size=FEW, kills=2)
    except AzuriteMissingError as error:
        pytest.skip(str(error))


@pytest.mark.exhaustive
@pytest.mark.parametrize("time_and_again", range(5))
def test_batch_survives_many_kills(tmp_path: Path, chance: random.Random, time_and_again: int) -> None:
    """The same with 40 rotations and up to ten kills, at other moments each time."""
    sys.stdout.write(f"{time_and_again}\n")
    _survives(tmp_path, chance, size=MANY, kills=10)
