"""The plan of a sweep's starts: below every limit at every time, no slower than need be, fair to every vault."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekey.nightly_settings import GRAPH_WRITES, LIMITS, VAULT_CREATES, Limit
from rekey.pace import AT_ONCE, SECOND, SHARE, Cost, Key, Pace

ENTRA: Cost = {(VAULT_CREATES, "kv-one"): 1, (VAULT_CREATES, "staging"): 1, (GRAPH_WRITES, ""): 2}
KEYS: list[Key] = [(VAULT_CREATES, "kv-one"), (VAULT_CREATES, "kv-two"), (VAULT_CREATES, "staging"), (GRAPH_WRITES, "")]
LIMIT = st.builds(Limit, st.integers(1, 400), st.floats(0.1, 200))
COSTS = st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(1, 5), min_size=1), min_size=1, max_size=5)


def fullest(used: list[tuple[int, int]], window: float) -> int:
    """Return the most that was used in any half-open window of microseconds."""
    most, held, first = 0, 0, 0
    for at, units in used:
        held += units
        while used[first][0] <= at - window:
            held -= used[first][1]
            first += 1
        most = max(most, held)
    return most


@settings(deadline=None)  # the machines are shared: how long an example takes says nothing
@given(vault=LIMIT, graph=LIMIT, costs=COSTS, count=st.integers(0, 800))
def test_no_window_is_used_beyond_the_share(vault: Limit, graph: Limit, costs: list[Cost], count: int) -> None:
    """Each start is planned once, and no limit is used above 95 % in any window (by one start, if it costs more)."""
    limits = {VAULT_CREATES: vault, GRAPH_WRITES: graph}
    batches = Pace(limits).batches((n, costs[n % len(costs)]) for n in range(count))
    planned = [(at, n) for at, batch in batches for n in batch]
    assert sorted(n for _, n in planned) == list(range(count))
    assert [at for at, _ in planned] == sorted(at for at, _ in planned)
    uses: defaultdict[Key, list[tuple[int, int]]] = defaultdict(list)
    for at, n in planned:
        for key, units in costs[n % len(costs)].items():
            uses[key].append((at, units))
    for key, used in uses.items():
        limit = limits[key[0]]
        most = max(SHARE * limit.count, *(units for _, units in used))
        assert fullest(used, round(limit.seconds * SECOND)) <= most


def test_ten_thousand_take_what_the_limit_asks_for() -> None:
    """20,000 writes at 95 % of 3,000 in 150 s take 1,053 s, within 1 %; every ten seconds see the same number."""
    planned = [at for at, batch in Pace(LIMITS).batches((n, ENTRA) for n in range(10_000)) for _ in batch]
    assert 1050 < planned[-1] / SECOND < 1063
    each = Counter(at // (10 * SECOND) for at in planned)
    assert set([*each.values()][:-1]) <= {*range(90, 101)}


def test_what_fits_into_the_windows_starts_at_once() -> None:
    """A small sweep isn't spread out; a batch has a size that one activity can do."""
    planned = list(Pace(LIMITS).batches((n, ENTRA) for n in range(250)))
    assert [len(batch) for _, batch in planned] == [AT_ONCE, AT_ONCE, 50]
    assert planned[-1][0] == 2 * Pace(LIMITS).tick == SECOND


def test_a_vault_at_its_limit_holds_up_no_other() -> None:
    """A thousand secrets of one vault wait for their limit, what stands behind them in another vault doesn't."""
    limits = LIMITS | {VAULT_CREATES: Limit(20, 10)}
    busy, other = ({(VAULT_CREATES, vault): 1} for vault in ("kv-one", "kv-two"))
    starts = [*((n, busy) for n in range(1000)), (1000, other)]
    first = next(at for at, batch in Pace(limits).batches(starts) if 1000 in batch)
    assert first == 0


def test_a_long_window_among_short_ones_is_waited_for() -> None:
    """One start an hour: the ticks of the short window between are skipped, not walked through."""
    limits = {VAULT_CREATES: Limit(1, 3600), GRAPH_WRITES: Limit(300, 0.1)}
    planned = list(Pace(limits).batches((n, {(VAULT_CREATES, "kv-one"): 1}) for n in range(48)))
    assert planned[-1][0] == pytest.approx(47 * 3600 * SECOND, rel=0.001)
