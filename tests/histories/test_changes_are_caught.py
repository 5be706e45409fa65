"""A change that would break instances in flight fails the replay of some recorded history, wherever it is made."""

import re
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.histories.changing import Change, applied, changes, concerned, kinds, modules, unchanged
from tests.histories.recorded import History, read_all
from tests.histories.replaying import differences, registered
from tests.histories.visited import Places, visited

SAID = re.compile(r"v\d+/[\w.-]+, episode \d+: expected .+, got .+")
"""Which history, which episode, what was decided then, what is decided now."""


HISTORIES = sorted(read_all(), key=lambda history: len(history.episodes))
"""The short ones first: most changes show in one of them, and a long one takes a hundred times as long."""


def _caught(histories: Iterable[History], modules: Collection[str]) -> str:
    """Return a difference in the orchestrators of these modules, "" if no history has one.

    The last episode replays all that was decided before, so most changes show there, thirty times as fast. What only
    some episode's status shows is looked for in all of them afterwards.
    """
    present, histories = registered(modules), list(histories)
    for only_last in (True, False):
        for history in histories:
            first = len(history.episodes) if only_last else 1
            if difference := next(differences(history, present, first=first), ""):
                return difference
    return ""


@cache
def _visited() -> dict[str, Places]:
    return visited(HISTORIES, registered())


def _likely(change: Change, histories: Iterable[History]) -> list[History]:
    """Return the histories, those that walk the changed line first."""
    place = (change.path.stem, change.line)
    return sorted(histories, key=lambda history: place not in _visited()[history.name])


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_every_change_of_the_order_is_caught(path: Path) -> None:
    """A step added, dropped or swapped, a timer dropped, a child made a step, a clock, chance: some history differs."""
    where = concerned(path.stem)
    own = registered(where)
    histories = [history for history in HISTORIES if history.orchestrator in own]
    missed = []
    for change in changes(path):
        likely = _likely(change, histories)
        with applied(change):
            difference = _caught(likely, where)
        if not SAID.fullmatch(difference):
            missed.append(f"{change}: no recorded history notices {difference}".rstrip())
    assert missed == [], "record a history that walks there: docs/changing-an-orchestrator.md"


def test_every_kind_of_change_has_its_places() -> None:
    """The changes are found at all, so that the test above tests something."""
    found = set().union(*map(kinds, modules()))
    assert found == {
        "a step added",
        "a step dropped",
        "a timer dropped",
        "two steps swapped",
        "a sub-orchestration turned into an activity",
        "another clock than the context's",
        "another id than the context's",
    }


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_what_is_imported_anew_unchanged_is_the_same(path: Path) -> None:
    """It is the change that is caught, not the way of making it."""
    where = concerned(path.stem)
    own = registered(where)
    histories = [history for history in HISTORIES if history.orchestrator in own]
    with applied(unchanged(path)):
        assert _caught(histories[:10], where) == ""
