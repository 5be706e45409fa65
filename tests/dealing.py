"""Deals the tests out to the processes of a run so that each begins with slow ones and ends with fast ones.

pytest-xdist gives each of n processes one n-th of the tests, in a row; who is through takes from the end of another's.
What is slow must so be dealt out evenly, and stand first: a slow test at the end is waited for by everybody.
"""

from collections.abc import Iterator, Sequence

SLOW = (
    "tests/e2e/",
    "tests/host/",
    "tests/faults/test_kills.py",
    "tests/demo/test_demo.py",
    "tests/docs/",
    "tests/faults/",
    "tests/bench/",
    "tests/leaks/",
    "tests/faults/test_paused_attempts.py",
    "tests/demo/",
    "tests/faults/test_endings.py",
    "tests/faults/test_batch.py",
    "tests/infra/test_package_build.py",
    "tests/histories/test_changes_are_caught.py",
    "tests/notices/test_delivery.py",
)
"""Beginnings of the ids of tests that share what is slow to start, or wait; what takes longest comes first. The
longest beginning that fits counts."""


def dealt[T](tests: Sequence[T], ids: Sequence[str], processes: int) -> list[T]:
    """Return the tests in the order for so many processes; `ids` are theirs. Those of one beginning stay together."""
    groups: dict[str, list[T]] = {beginning: [] for beginning in (*SLOW, "")}
    for test, name in zip(tests, ids, strict=True):
        groups[max(filter(name.startswith, groups), key=len)].append(test)
    fast = groups.pop("")
    hands: list[list[T]] = [[] for _ in range(processes)]
    for place, group in zip(_to_and_fro(processes), groups.values(), strict=False):
        hands[place] += group
    return [
        test
        for hand, size in zip(hands, _sizes(len(tests), processes), strict=True)
        for test in _filled(hand, fast, size)
    ] + fast


def _to_and_fro(processes: int) -> Iterator[int]:
    """Yield 0, 1, 1, 0, 0, 1, ...: who gets the longest of a round gets the shortest of the next."""
    while True:
        yield from range(processes)
        yield from reversed(range(processes))


def _sizes(tests: int, processes: int) -> Iterator[int]:
    """Yield how many tests each process is given at first, as WorkStealingScheduling.check_schedule does it."""
    for left in range(processes, 0, -1):
        yield tests // left
        tests -= tests // left


def _filled[T](hand: list[T], fast: list[T], size: int) -> list[T]:
    """Return the hand with as many fast ones behind it as are missing; they are taken out of `fast`."""
    missing = max(0, size - len(hand))
    taken, fast[:missing] = fast[:missing], []
    return hand + taken
