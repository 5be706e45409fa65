"""What the steps of a nightly sweep are asked and answer: counts and cursors; names of secrets stay in its blobs."""

from datetime import datetime
from typing import Any

import msgspec

from rekey.model.notice import Finding


class OfSweep(msgspec.Struct, frozen=True, kw_only=True):
    """What every step of a sweep is told: which run it belongs to."""

    run_id: str


class Look(OfSweep, frozen=True, kw_only=True):
    """The input of `find_due`: one vault."""

    vault: str


class Round(OfSweep, frozen=True, kw_only=True):
    """The input of `plan_starts`: round 0 starts what is due, each later one what the one before could not start."""

    round: int


class Batch(OfSweep, frozen=True, kw_only=True):
    """The input of `start_due`: one batch of a round's plan; `began` is when the sweep did."""

    round: int
    number: int
    began: datetime


class Ending(OfSweep, frozen=True, kw_only=True):
    """The input of `end_sweep`: the last round there may have been, and what went wrong that is in no blob."""

    last_round: int
    findings: tuple[Finding, ...] = ()


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What `begin_sweep` answers: the vaults that settings allow."""

    vaults: tuple[str, ...]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What `find_due` answers: how many secrets of which sort, in words."""

    counts: dict[str, int]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What `plan_starts` answers: the number of batches, and by how many seconds one may be late without harm."""

    counts: dict[str, int]
    batches: int
    tolerance: float


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What `start_due` answers: `missed` could not be started; `next`: when the next batch is, in seconds."""

    counts: dict[str, int]
    missed: int = 0
    next: float = 0.0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What `end_sweep` answers: what people are told of, the most important first."""

    counts: dict[str, int]
    findings: tuple[Finding, ...] = ()


class Sweep(OfSweep, frozen=True, kw_only=True):
    """Where a sweep stands: the input of each execution of `rotate_due` but the first.

    `waiting`: vaults that are still to be looked at. `batch` of `batches` is the next to start, at the plan's
    `origin` plus `offset` seconds, late by less than `tolerance`; `batches` is None before the round is planned.
    `missed` could not be started in this round.
    """

    began: datetime
    waiting: tuple[str, ...] = ()
    vaults: int = 0
    unreadable: int = 0
    counts: dict[str, int] = {}
    findings: tuple[Finding, ...] = ()
    round: int = 0
    batches: int | None = None
    batch: int = 0
    origin: datetime | None = None
    offset: float = 0.0
    tolerance: float = 0.0
    missed: int = 0

    def but(self, **changes: Any) -> "Sweep":
        """Return this sweep one step on."""
        return msgspec.structs.replace(self, **changes)

    def counting(self, more: dict[str, int]) -> "Sweep":
        """Return this sweep with more counted."""
        names = dict.fromkeys([*self.counts, *more])
        return self.but(counts={name: self.counts.get(name, 0) + more.get(name, 0) for name in names})

    def told(self) -> dict[str, int]:
        """Return what was counted, in the order in which it is read; the started ones are named even if none was."""
        counts = {"started": 0, **self.counts, "vaults": self.vaults, "vaults that can't be read": self.unreadable}
        return {name: n for name, n in counts.items() if n or name == "started"}
