"""A change that would break instances in flight fails the replay of some recorded history, wherever it is made."""

import re
from pathlib import Path

import pytest

from tests.histories.changing import FOLDER, applied, changes, modules, unchanged
from tests.histories.recorded import History, read_all
from tests.histories.replaying import differences, registered

SAID = re.compile(r"v\d+/[\w.-]+, episode \d+: expected .+, got .+")
"""Which history, which episode, what was decided then, what is decided now."""


HISTORIES = sorted(read_all(), key=lambda history: len(history.episodes))
"""The short ones first: most changes show in one of them, and a long one takes a hundred times as long."""


def _caught(histories: list[History]) -> str:
    """Return a difference; the history that showed it comes first the next time.

    The last episode replays all that was decided before, so most changes show there, thirty times as fast. What only
    some episode's status shows is looked for in all of them afterwards.
    """
    present = registered()
    for only_last in (True, False):
        for place, history in enumerate(histories):
            first = len(history.episodes) if only_last else 1
            if difference := next(differences(history, present, first=first), ""):
                histories.insert(0, histories.pop(place))
                return difference
    return ""


def _imported(stem: str) -> set[str]:
    """Return the module and those of the orchestrators that it imports, however indirectly."""
    found, left = {stem}, [stem]
    while left:
        source = (FOLDER / f"{left.pop()}.py").read_text(encoding="utf-8")
        new = set(re.findall(r"^from orchestrators\.(\w+) import", source, re.MULTILINE)) - found
        found |= new
        left += new
    return found


IMPORTED = {name: _imported(function.__module__.rpartition(".")[2]) for name, function in registered().items()}
"""By orchestrator, the modules that a change of can be noticed in its histories."""


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_every_change_of_the_order_is_caught(path: Path) -> None:
    """A step added, dropped or swapped, a timer dropped, a child made a step, a clock, chance: some history differs."""
    histories = [h for h in HISTORIES if path.stem in IMPORTED[h.orchestrator]]
    missed = []
    for change in changes(path):
        with applied(change):
            difference = _caught(histories)
        if not SAID.fullmatch(difference):
            missed.append(f"{change}: no recorded history notices {difference}".rstrip())
    assert missed == [], "record a history that walks there: docs/changing-an-orchestrator.md"


def test_every_kind_of_change_has_its_places() -> None:
    """The changes are found at all, so that the test above tests something."""
    found = {change.what for path in modules() for change in changes(path)}
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
    with applied(unchanged(path)):
        assert _caught(HISTORIES[:10]) == ""
