"""How the consumers of a rotation get the new credential: side by side, then those that try them out, people last."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_all

from orchestrators.attempts import StepFailed, Steps
from orchestrators.clock import now
from orchestrators.grace import AT_LEAST, Grace
from orchestrators.rotation_steps import RotationSteps
from rekey import names
from rekey.model import NOT_ACKNOWLEDGED, ConsumerResult, ConsumerTarget, Walk, When, decode, encode

LOOKS_AGAIN = timedelta(days=1)
"""How long a rotation waits for an acknowledgement before it reads the record again: an event may get lost."""


class Consumers:
    """The consumers of one rotation."""

    def __init__(self, ctx: OrchestrationContext, steps: RotationSteps, grace: Grace) -> None:
        self._ctx = ctx
        self._grace = grace
        self._steps = steps
        self._progress = steps.progress

    def switch(self, walk: Walk) -> Steps[Sequence[ConsumerResult]]:
        """Tell all consumers; those that try out what others hold come after them, people come last."""
        targets = walk.facts.consumers if walk.facts else ()
        results = {t.uri: ConsumerResult(uri=t.uri, keyless=t.keyless) for t in targets if t.keyless}
        yield from self._switch(walk, [t for t in targets if t.when == When.WITH_OTHERS], results)
        if after := [t for t in targets if t.when == When.AFTER_OTHERS]:
            yield from self._switch(walk, after, results)
        results |= {t.uri: ConsumerResult(uri=t.uri, by_hand=True) for t in targets if t.when == When.BY_HAND}
        return [results[t.uri] for t in targets]

    def asked_again(self, walk: Walk, results: Sequence[ConsumerResult]) -> Steps[Sequence[ConsumerResult]]:
        """Before the old credential goes, give the new one to those that needed no key, if they are back on one."""
        targets = walk.facts.keyless() if walk.facts else ()
        if not targets:
            return results
        known = {r.uri: r for r in results if not r.keyless}
        yield from self._switch(walk, targets, known)
        return [known[r.uri] for r in results]

    def acknowledged(self, walk: Walk) -> Steps[None]:
        """Leave both credentials valid until everybody who had to act by hand has, or the old one's own end."""
        end = self._patience(walk)
        told = False
        while missing := (yield from self._missing(walk)):
            uris = [target.uri for target in missing]
            if now(self._ctx) >= end:
                self._steps.tell.remarks.append(
                    f"Nobody acknowledged {', '.join(uris)} before the old credential's end."
                )
                return
            if not told:
                yield from self._steps.tell.unacknowledged(walk, _unacknowledged(walk, uris), missing, end)
                told = True
            yield from self._wait_for_decision(f"{len(missing)} to be acknowledged", end)

    def _wait_for_decision(self, waiting_for: str, end: datetime) -> Steps[None]:
        until = min(end, now(self._ctx) + LOOKS_AGAIN)
        self._progress.at(names.GRACE, "needs-you", until=until, waiting_for=waiting_for)
        yield from self._grace.event_or(until)

    def _patience(self, walk: Walk) -> datetime:
        """Return until when people may take their time; without an end of the old one, AT_LEAST more."""
        deadline = walk.rotation.deadline()
        return deadline if walk.rotation.expires else max(deadline, now(self._ctx) + AT_LEAST)

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

    def _missing(self, walk: Walk) -> Steps[list[ConsumerTarget]]:
        """Return the consumers that nobody has said to have the new credential, by what the record says."""
        by_hand = walk.facts.by_hand() if walk.facts else ()
        if not by_hand:
            return []
        decided = yield from self._grace.heard(walk)
        self._steps.tell.acknowledged = decided.acknowledged
        missing = [target for target in by_hand if target.uri not in decided.acknowledged]
        confirmed = self._progress.consumers["total"] - len(missing)
        self._progress.consumers = {**self._progress.consumers, "confirmed": confirmed}
        return missing

    def _count(self, total: int, results: dict[str, ConsumerResult]) -> None:
        failed = sum(1 for r in results.values() if r.code)
        self._progress.consumers = {"total": total, "confirmed": len(results) - failed, "failed": failed}


def _unacknowledged(walk: Walk, missing: Sequence[str]) -> StepFailed:
    return StepFailed(
        names.GRACE,
        NOT_ACKNOWLEDGED,
        f"nobody has said yet that these have the new credential: {', '.join(missing)}",
        f"Once they have it, put that down: python -m rekey acknowledge {walk.rotation.id} <consumer>. The old "
        "credential works until then, at most until its own end.",
    )
