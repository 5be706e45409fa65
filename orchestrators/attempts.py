"""The one place that turns outcomes into attempts: backoff with jitter, bounded in time, on durable timers.

The engine's own RetryPolicy would repeat permanent errors, has no jitter, and reads the clock during replay.
"""

import hashlib
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext, TaskFailedError

from orchestrators.clock import now
from rekey.model import Ok, Outcome, Permanent, Unclear, decode, encode

type Steps[T] = Generator[Any, Any, T]
"""An orchestrator's part: yields durable tasks, returns a T."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
"""Seconds between attempts: doubled from the first to the longest."""

PATIENCE = timedelta(minutes=15)
"""How long a step is tried before somebody is told: a directory replicates in minutes, role assignments in 30."""


class StepFailed(Exception):  # noqa: N818 - it says what happened to the step
    """A step failed for good, or for longer than one waits; says what to do."""

    def __init__(self, step: str, code: str, message: str, what_to_do: str = "") -> None:
        super().__init__(f"{step}: {code}: {message}")
        self.step, self.code, self.message, self.what_to_do = step, code, message, what_to_do


def attempted(
    ctx: OrchestrationContext, step: str, payload: msgspec.Struct, patience: timedelta = PATIENCE
) -> Steps[Any]:
    """Run a step until it is done and return its value (JSON types); StepFailed if it can't be or takes too long."""
    gives_up = now(ctx) + patience
    number = 0
    while True:
        number += 1
        outcome = yield from _once(ctx, step, payload)
        if isinstance(outcome, Ok):
            return outcome.value
        if isinstance(outcome, Permanent):
            raise StepFailed(step, outcome.code, outcome.message, outcome.what_to_do)
        again = now(ctx) + pause(f"{ctx.instance_id} {step}", number, outcome.seconds)
        if again > gives_up:
            raise StepFailed(step, outcome.code, f"{outcome.message} (tried {number} times)")
        yield ctx.create_timer(again)


def _once(ctx: OrchestrationContext, step: str, payload: msgspec.Struct) -> Steps[Outcome]:
    try:
        raw = yield ctx.call_activity(step, input=encode(payload), return_type=dict)
    except TaskFailedError:
        # A step returns what went wrong; one that throws died outside its frame, and its text is not repeated here.
        return Unclear("step-died", f"step {step} ended without an outcome")
    outcome: Outcome = decode(raw, Outcome.__value__)
    return outcome


def pause(seed: str, number: int, asked: float | None) -> timedelta:
    """Return how long to wait after the attempt of that number: never less than asked, the same on every replay."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    jitter = 0.5 + int.from_bytes(digest[:4]) / 2**32
    backoff = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (number - 1)) * jitter
    return timedelta(seconds=max(backoff, asked or 0.0))
