"""How the steps of a federation are run, and how it waits: a decision to revert is heard at every wait for people."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from orchestrators.attempts import PATIENCE, StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.federation_telling import FederationTeller
from orchestrators.progress import place
from orchestrators.waiting import event_or
from rekey import names
from rekey.model import decode
from rekey.model.federation import Federation, Resolved

FIRST_ROUND = timedelta(minutes=5)
LONGEST_ROUND = timedelta(days=1)
"""How long it waits after telling somebody before it tries again on its own: doubled from the first."""

GIVES_UP = timedelta(days=14)
"""How long one step is tried again after somebody was told."""

LOOKS_AGAIN = timedelta(days=1)
"""How long it waits for a decision before it reads the record again: an event may get lost."""


class Reverting(Exception):  # noqa: N818 - it is what somebody decided
    """An operator wants everything as it was; `by` is who."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


class FederationSteps:
    """The steps of one walk."""

    def __init__(self, ctx: OrchestrationContext, federation_id: str, tell: FederationTeller) -> None:
        self._ctx = ctx
        self._id = federation_id
        self.tell = tell

    def at(self, step: str, state: str = "running", *, until: datetime | None = None, waiting_for: str = "") -> None:
        """Say where it is. Never an address, a value or a URL: everybody may read it."""
        where = place(self._ctx, step, state, until=until, waiting_for=waiting_for)
        self._ctx.set_custom_status({"federation_id": self._id, **where})

    def once(self, name: str, payload: msgspec.Struct, patience: timedelta = PATIENCE) -> Steps[Any]:
        """Run one step, visibly; StepFailed if it can't be done within its time."""
        self.at(name)
        return (yield from attempted(self._ctx, name, payload, patience))

    def insisted(self, name: str, walk: Federation, *, heeding: bool, **news: Any) -> Steps[Any]:
        """Run one step of those that nothing is torn down after: a failure is told, and tried again for weeks.

        StepFailed after that; Reverting, if `heeding`, when an operator wants that meanwhile.
        """
        gives_up = None
        for number in itertools.count():
            try:
                return (yield from self.once(name, walk))
            except StepFailed as failure:
                if gives_up is None:
                    gives_up = now(self._ctx) + GIVES_UP
                    yield from self.tell.needs_you(walk, failure, revertible=heeding, **news)
                again = now(self._ctx) + min(LONGEST_ROUND, FIRST_ROUND * 2 ** min(number, 10))
                if again > gives_up:
                    raise
                yield from self.wait(walk, again, failure, heeding=heeding)
        return None

    def wait(self, walk: Federation, until: datetime, failure: StepFailed, *, heeding: bool) -> Steps[None]:
        """Wait where somebody is needed."""
        self.at(failure.step, "needs-you", until=until, waiting_for=failure.code)
        if heeding:
            yield from event_or(self._ctx, until)
            yield from self.heed(walk)
        else:
            yield self._ctx.create_timer(until)

    def pass_time(self, walk: Federation, step: str, until: datetime, waiting_for: str) -> Steps[Resolved]:
        """Wait until then, a day at most, or until something was decided; return what is on the record."""
        self.at(step, "waiting", until=until, waiting_for=waiting_for)
        yield from event_or(self._ctx, min(until, now(self._ctx) + LOOKS_AGAIN))
        return (yield from self.heed(walk))

    def heed(self, walk: Federation) -> Steps[Resolved]:
        """Return what is on the record, nothing if it can't be read now; Reverting if that is wanted."""
        try:
            found = yield from attempted(self._ctx, names.READ_FEDERATION_DECISIONS, walk)
        except StepFailed:
            return Resolved()
        return self.resolved(found)

    def resolved(self, found: Any) -> Resolved:
        """Return what a step read of the record; Reverting if an operator wants that."""
        resolved = decode(found, Resolved)
        if resolved.reverted_by:
            raise Reverting(resolved.reverted_by)
        return resolved
