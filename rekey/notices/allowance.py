"""How many mails may go out now: the sends of the last hour, counted by the whole app in one blob."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from rekey.blobs import translated
from rekey.errors import NotYetError
from rekey.nightly_settings import Limit
from rekey.notices.guarded import change

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

BLOB = "mail/sent.json"

SLACK = 5.0
"""Seconds by which a window is taken longer than it is: requests take their time to get there."""

FOR_WHAT_WAITED = 0.8
"""The part of the limits that digests and what waited may use up; the rest is left to what can't wait."""


class Allowance:
    """Counts sends against `limits` (of which only `share` is used, at least one mail); `clock` gives epoch seconds."""

    def __init__(
        self,
        container: "ContainerClient",
        limits: Iterable[Limit],
        share: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._container = container
        self._limits = [Limit(max(1, int(limit.count * share)), limit.seconds) for limit in limits]
        self._clock = clock

    async def take(self, mails: int) -> float:
        """Count so many mails as sent now and return their stamp; NotYetError with the seconds to wait for them."""
        stamps: list[float] = []

        def count(body: bytes | None) -> bytes:
            now = self._clock()
            sent = self._recent(body, now)
            wait = self._wait(sent, mails, now)
            if wait > 0:
                raise NotYetError("mail-limit", f"mail: the limit of mails is used up for {wait:.0f} s", wait)
            stamps.append(now)
            return msgspec.json.encode(sorted([*sent, *[now] * mails]))

        with translated("mail allowance"):
            await change(self._container, BLOB, count)
        return stamps[-1]

    async def give_back(self, mails: int, stamp: float) -> None:
        """Uncount what was taken and not sent."""

        def uncount(body: bytes | None) -> bytes:
            sent = self._recent(body, self._clock())
            for _ in range(min(mails, sent.count(stamp))):
                sent.remove(stamp)
            return msgspec.json.encode(sent)

        with translated("mail allowance"):
            await change(self._container, BLOB, uncount)

    def _recent(self, body: bytes | None, now: float) -> list[float]:
        """Return the sends that still count; a count that can't be read starts anew, the service's own limit holds."""
        try:
            sent = msgspec.json.decode(body or b"[]", type=list[float])
        except msgspec.DecodeError:
            return []
        longest = max(limit.seconds for limit in self._limits) + SLACK
        return [at for at in sent if now - longest < at <= now + longest]

    def _wait(self, sent: list[float], mails: int, now: float) -> float:
        """Return the seconds until so many more fit; more than a limit are let through when nothing else is counted."""
        waits = [0.0]
        for limit in self._limits:
            window = limit.seconds + SLACK
            inside = sorted(at for at in sent if at > now - window)
            over = len(inside) + min(mails, limit.count) - limit.count
            if over > 0:
                waits.append(inside[over - 1] + window - now)
        return max(waits)
