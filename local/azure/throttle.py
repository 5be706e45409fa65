"""Knows how a sliding window limits requests, and for how long the next one has to wait."""

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Windows:
    """Sliding windows, one per key; a refused request doesn't count."""

    taken: defaultdict[tuple[str, float], deque[datetime]] = field(default_factory=lambda: defaultdict(deque))

    def take(self, key: str, limit: int, seconds: float, now: datetime) -> int | None:
        """Count one request of `key` against `limit` per `seconds`; return the wait in seconds if it is too much."""
        window = self.taken[key, seconds]
        while window and window[0] <= now - timedelta(seconds=seconds):
            window.popleft()
        if len(window) >= limit:
            return max(1, math.ceil((window[0] + timedelta(seconds=seconds) - now).total_seconds()))
        window.append(now)
        return None

    def used(self, key: str, seconds: float) -> int:
        """Return how many requests of `key` are in its window."""
        return len(self.taken[key, seconds])
