"""Spreads starts over time so that their writes stay below the services' limits; knows sliding windows, no clock.

An app scales out, so that nothing in a process can be a global limiter: what is planned here, for all instances at
once, is. Writes come some seconds after a start, each rotation's at another delay: evenly spread starts give evenly
spread writes, bursts don't. Times are whole microseconds after the plan's beginning.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rekey.nightly_settings import Limit

type Key = tuple[str, str]
"""A limit's name, and what it holds for: a vault; "" where it holds for the app in its tenant."""

type Cost = Mapping[Key, int]

SHARE = 0.95
"""What part of a limit a sweep uses: events and people start rotations too."""

TICKS = 20
"""Batches in the shortest window: one that starts late by less than a tick adds 5 % to a window, and stays in it."""

AT_ONCE = 100
"""Starts in one batch, which one activity makes in seconds."""

SECOND = 1_000_000
"""Times of a plan are whole microseconds."""


@dataclass
class _Meter:
    """One limit's use so far: strict over every window, and even if the whole sweep doesn't fit into one."""

    budget: int
    window: int
    even: bool
    _free: float = 0.0
    _used: int = 0
    _log: deque[tuple[int, int]] = field(default_factory=deque)

    def ready(self, cost: int, now: int) -> float:
        """Return from when on, not before `now`, that much may be used."""
        self._forget(now)
        over, until = self._used + cost - self.budget, now
        for at, used in self._log:
            if over <= 0:
                break
            over, until = over - used, at + self.window
        return max(until, self._free)

    def use(self, cost: int, now: int, tick: int) -> None:
        """Count what is used at `now`; at most a tick that went unused is made up for."""
        self._log.append((now, cost))
        self._used += cost
        if self.even:
            self._free = max(self._free, now - tick) + cost * self.window / self.budget

    def _forget(self, now: int) -> None:
        while self._log and self._log[0][0] <= now - self.window:
            self._used -= self._log.popleft()[1]


class Pace:
    """The plan for a number of starts that cost something of some limits."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        self._limits = limits
        self.tick = max(1, round(min(limit.seconds for limit in limits.values()) * SECOND / TICKS))

    def batches[T](self, starts: Iterable[tuple[T, Cost]]) -> Iterator[tuple[int, list[T]]]:
        """Yield when each batch starts and what it holds; of starts that cost the same, the order is kept.

        A start that costs more than a limit's share of a window is alone in it.
        """
        waiting, meters = self._queues(starts)
        now = 0
        while waiting:
            batch: list[T] = []
            for cost, queue in waiting.items():
                while queue and len(batch) < AT_ONCE and self._fits(meters, cost, now):
                    batch.append(queue.popleft())
            waiting = {cost: queue for cost, queue in waiting.items() if queue}
            if batch:
                yield now, batch
            now = self._next(meters, waiting, now)

    def _queues[T](self, starts: Iterable[tuple[T, Cost]]) -> tuple[dict["_Costs", deque[T]], dict[Key, _Meter]]:
        waiting: defaultdict[_Costs, deque[T]] = defaultdict(deque)
        for start, cost in starts:
            waiting[tuple(sorted((key, self._capped(key, units)) for key, units in cost.items()))].append(start)
        total: defaultdict[Key, int] = defaultdict(int)
        for costs, queue in waiting.items():
            for key, units in costs:
                total[key] += units * len(queue)
        fits = all(units <= self._budget(key) for key, units in total.items())
        return waiting, {key: self._meter(key, even=not fits) for key in total}

    def _meter(self, key: Key, *, even: bool) -> _Meter:
        return _Meter(self._budget(key), round(self._limits[key[0]].seconds * SECOND), even)

    def _budget(self, key: Key) -> int:
        return max(1, math.floor(SHARE * self._limits[key[0]].count))

    def _capped(self, key: Key, units: int) -> int:
        return min(units, self._budget(key))

    def _fits(self, meters: dict[Key, _Meter], costs: "_Costs", now: int) -> bool:
        if any(meters[key].ready(units, now) > now for key, units in costs):
            return False
        for key, units in costs:
            meters[key].use(units, now, self.tick)
        return True

    def _next(self, meters: dict[Key, _Meter], waiting: Iterable["_Costs"], now: int) -> int:
        """Return the next tick at which something fits, for there may be long windows among short ones."""
        soonest = min((max(meters[k].ready(n, now) for k, n in costs) for costs in waiting), default=now)
        return max(now + self.tick, math.ceil(soonest / self.tick) * self.tick)


type _Costs = tuple[tuple[Key, int], ...]
