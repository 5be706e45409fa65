"""How a rotation runs its steps: visibly, and after the switch again and again until the old credential's end."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.progress import Progress
from orchestrators.telling import Teller
from rekey.model import ConsumerResult, Walk

FIRST_ROUND = timedelta(minutes=5)
LONGEST_ROUND = timedelta(hours=4)
"""How long a rotation that told somebody waits before it tries again on its own: doubled from the first."""


class RotationSteps:
    """The steps of one rotation."""

    def __init__(self, ctx: OrchestrationContext, progress: Progress, tell: Teller) -> None:
        self._ctx = ctx
        self.progress = progress
        self.tell = tell

    def once(self, name: str, payload: msgspec.Struct) -> Steps[Any]:
        """Run one step, visibly; StepFailed if it can't be done within its time."""
        self.progress.at(name)
        return (yield from attempted(self._ctx, name, payload))

    def insisted(self, name: str, walk: Walk) -> Steps[Any]:
        """Run one step after the switch: a failure is told, and tried again until the old credential's end."""
        for round_number in itertools.count():
            try:
                return (yield from self.once(name, walk))
            except StepFailed as failure:
                yield from self.wait_for_somebody(walk, failure, round_number)
        return None

    def wait_for_somebody(
        self, walk: Walk, failure: StepFailed, round_number: int, results: Sequence[ConsumerResult] = ()
    ) -> Steps[None]:
        """Tell that somebody is needed, once, and wait a round; StepFailed when the deadline would pass.

        The operator's decisions (retry, skip-consumer, rollback, abandon) will be raced with this timer.
        """
        if round_number == 0:
            yield from self.tell.needs_you(walk, failure, results)
        again = now(self._ctx) + min(LONGEST_ROUND, FIRST_ROUND * 2 ** min(round_number, 10))
        if again > walk.rotation.deadline():
            raise failure
        self.progress.at(failure.step, "needs-you", until=again, waiting_for=failure.code)
        yield self._ctx.create_timer(again)
