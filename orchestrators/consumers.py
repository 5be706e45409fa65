"""How the consumers of a rotation get the new credential: side by side, then those that try them out, people last."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_all, when_any

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.rotation_steps import RotationSteps
from rekey import names
from rekey.model import ConsumerResult, ConsumerTarget, Decided, Walk, When, decode, encode

LOOKS_AGAIN = timedelta(days=1)
"""How long a rotation waits for an acknowledgement before it reads the record again: an event may get lost."""


class Consumers:
    """The consumers of one rotation."""

    def __init__(self, ctx: OrchestrationContext, steps: RotationSteps) -> None:
        self._ctx = ctx
        self._steps = steps
        self._progress = steps.progress

    def switch(self, walk: Walk) -> Steps[Sequence[ConsumerResult]]:
        """Tell all consumers; those that try out what others hold come after them, people come last."""
        targets = walk.facts.consumers if walk.facts else ()
        results: dict[str, ConsumerResult] = {}
        yield from self._switch(walk, [t for t in targets if t.when == When.WITH_OTHERS], results)
        if after := [t for t in targets if t.when == When.AFTER_OTHERS]:
            yield from self._switch(walk, after, results)
        results |= {t.uri: ConsumerResult(uri=t.uri, by_hand=True) for t in targets if t.when == When.BY_HAND}
        return [results[t.uri] for t in targets]

    def acknowledged(self, walk: Walk) -> Steps[None]:
        """Leave both credentials valid until everybody who had to act by hand has, or the old one's own end."""
        told = False
        while missing := (yield from self._missing(walk)):
            end = walk.rotation.deadline()
            if now(self._ctx) >= end:
                self._steps.tell.remarks.append(
                    f"Nobody acknowledged {', '.join(missing)} before the old credential's end."
                )
                return
            if not told:
                yield from self._steps.tell.needs_you(walk, _unacknowledged(walk, missing))
                told = True
            waiting_for = f"{len(missing)} to be acknowledged"
            until = min(end, now(self._ctx) + LOOKS_AGAIN)
            self._progress.at(names.GRACE, "needs-you", until=until, waiting_for=waiting_for)
            decided = self._ctx.wait_for_external_event(names.DECISION_EVENT)
            yield when_any([decided, self._ctx.create_timer(until)])

    def _switch(self, walk: Walk, targets: Sequence[ConsumerTarget], results: dict[str, ConsumerResult]) -> Steps[None]:
        """Tell these consumers side by side; those that fail are tried again until the old credential's end."""
        total = len(walk.facts.consumers) if walk.facts else 0
        for round_number in itertools.count():
            pending = [t for t in targets if t.uri not in results or results[t.uri].code]
            self._count(total, results)
            self._progress.at(names.UPDATE_CONSUMER)
            calls: list[Task[Any]] = [
                self._ctx.call_sub_orchestrator(
                    names.SWITCH_CONSUMER, input=encode(walk.but(target=t)), return_type=dict
                )
                for t in pending
            ]
            results |= {r.uri: r for r in (yield from self._all(calls, pending))}
            failed = [r for r in results.values() if r.code]
            self._count(total, results)
            if not failed:
                return
            failure = StepFailed(names.UPDATE_CONSUMER, failed[0].code, failed[0].message, failed[0].what_to_do)
            yield from self._steps.wait_for_somebody(walk, failure, round_number, list(results.values()))

    def _all(self, calls: list[Task[Any]], targets: Sequence[ConsumerTarget]) -> Steps[list[ConsumerResult]]:
        if not calls:
            return []
        try:
            answers = yield when_all(calls)
        except TaskFailedError:  # one of them died outside its frame; each is safe to repeat
            died = "the update ended without an outcome"
            return [ConsumerResult(uri=t.uri, code="consumer-died", message=died) for t in targets]
        return [decode(answer, ConsumerResult) for answer in answers]

    def _missing(self, walk: Walk) -> Steps[list[str]]:
        """Return the consumers that nobody has said to have the new credential, by what the record says."""
        by_hand = [t.uri for t in walk.facts.consumers if t.when == When.BY_HAND] if walk.facts else []
        if not by_hand:
            return []
        decided = decode((yield from self._steps.insisted(names.READ_DECISIONS, walk)), Decided)
        return [uri for uri in by_hand if uri not in decided.acknowledged]

    def _count(self, total: int, results: dict[str, ConsumerResult]) -> None:
        failed = sum(1 for r in results.values() if r.code)
        self._progress.consumers = {"total": total, "confirmed": len(results) - failed, "failed": failed}


def _unacknowledged(walk: Walk, missing: Sequence[str]) -> StepFailed:
    return StepFailed(
        names.GRACE,
        "not-acknowledged",
        f"nobody has said yet that these have the new credential: {', '.join(missing)}",
        f"Once they have it: python -m rekey acknowledge {walk.rotation.id} {missing[0]}. The old credential works "
        "until then, at most until its own end.",
    )
