"""Calls at a later time, any number of them and however far away, on one thread."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

_LOG = logging.getLogger(__name__)
# The wall clock may be set while we wait: look at it at least this often (seconds).
_LONGEST_WAIT = 5.0


class Timers:
    """A heap of (wall clock time, call); the calls run one after another on a daemon thread."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        threading.Thread(target=self._run, name="timers", daemon=True).start()

    def at(self, when: datetime, call: Callable[[], None]) -> None:
        """Run `call` at the aware datetime `when`, at once if that has passed."""
        with self._changed:
            heapq.heappush(self._heap, (when.timestamp(), next(self._order), call))
            self._changed.notify()

    def stop(self) -> None:
        """Drop everything that hasn't fired."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception:  # noqa: BLE001 (the others must still fire)
                _LOG.exception("a timer's call failed")

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopped:
                delay = self._heap[0][0] - time.time() if self._heap else _LONGEST_WAIT
                if delay <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(min(delay, _LONGEST_WAIT))
        return None
