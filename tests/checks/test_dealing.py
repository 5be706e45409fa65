"""Tests are dealt out so that slow ones come first, none is lost, and what shares something stays together."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.dealing import SLOW, dealt

ROOT = Path(__file__).parents[2]
IDS = st.lists(st.sampled_from([f"{slow}x" for slow in SLOW] + [f"tests/{n}" for n in range(99)]), max_size=200)


@given(ids=IDS, processes=st.integers(1, 5))
def test_none_is_lost(ids: list[str], processes: int) -> None:
    """However many there are of which kind, each test is there as often as before."""
    assert sorted(dealt(ids, ids, processes)) == sorted(ids)


def test_each_process_begins_with_slow_ones() -> None:
    """Of three processes that get a third each, every one begins with a slow group and ends with fast tests."""
    slow = [f"{beginning}{n}" for beginning in SLOW for n in "ab"]
    fast = [f"tests/checks/{n}" for n in range(100)]
    order = dealt(fast + slow, fast + slow, 3)
    third = len(order) // 3
    for start in (0, third, 2 * third):
        kinds = [test in slow for test in order[start : start + third]]
        assert kinds == sorted(kinds, reverse=True)
        assert kinds.count(True) >= 10
    assert [order.index(f"{beginning}b") - order.index(f"{beginning}a") for beginning in SLOW] == [1] * len(SLOW)


def test_every_slow_group_is_there() -> None:
    """A beginning names files that exist: one that was renamed would be dealt out as if it were fast."""
    assert [beginning for beginning in SLOW if not (ROOT / beginning).exists()] == []
