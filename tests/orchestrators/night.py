"""What the steps of a nightly sweep answer in a test: vaults, what is due in them, and a real plan for the starts."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrators import rotate_due
from rekey import names
from rekey.model import Finding, NoticeKind, Ok, Outcome, Told, decode, encode
from rekey.model.sweep import Batch, Begun, Ended, Ending, Look, Looked, Planned, Round, Started
from rekey.nightly_settings import LIMITS, Limit
from rekey.pace import SECOND, Cost, Pace
from tests.orchestrators.engine import Activity, Died, Engine, Instance
from tests.orchestrators.scripts import DIES
from tests.triggers.durable import functions

ROTATE_DUE = functions(rotate_due.blueprint)[names.ROTATE_DUE].get_user_function().orchestrator_function


@dataclass
class Night:
    """One night: what is due is (name, cost); `refuses` says how often each name's start fails."""

    vaults: tuple[str, ...] = ("kv-one",)
    due: list[tuple[str, Cost]] = field(default_factory=list)
    limits: Mapping[str, Limit] = field(default_factory=lambda: dict(LIMITS))
    refuses: Counter[str] = field(default_factory=Counter)
    bad: tuple[Finding, ...] = ()
    script: dict[str, Iterator[Outcome | str | None]] = field(default_factory=dict)
    started: dict[str, datetime] = field(default_factory=dict)
    missed: dict[int, list[str]] = field(default_factory=dict)
    plans: dict[int, list[tuple[int, list[str]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.costs = dict(self.due)
        self.engine = Engine({names.ROTATE_DUE: ROTATE_DUE}, self._activity)

    def says(self, step: str, *outcomes: Outcome | str | None) -> "Night":
        """Let a step answer these outcomes first; None is what it would answer."""
        self.script[step] = iter(outcomes)
        return self

    def run(self, instance_id: str = names.ROTATE_DUE, given: Any = None) -> Instance:
        """Run the sweep to its end."""
        return self.engine.run(names.ROTATE_DUE, instance_id, given)

    @property
    def steps(self) -> list[str]:
        """The steps in the order they were asked for."""
        return [call.what for call in self.engine.calls]

    @property
    def mails(self) -> list[dict[str, Any]]:
        """The notices that were sent."""
        return [c.payload["notice"] for c in self.engine.calls if c.name == names.NOTIFY_OWNERS]

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, now: datetime) -> Any:
            outcome = next(self.script.get(name, iter(())), None)
            if outcome == DIES:
                raise Died("Zq8~canary in an exception's text")
            return encode(outcome or Ok(encode(self._well(name, payload, now))))

        return act

    def _well(self, name: str, payload: Any, now: datetime) -> Any:
        match name:
            case names.BEGIN_SWEEP:
                return Begun(vaults=self.vaults)
            case names.FIND_DUE:
                first = decode(payload, Look).vault == self.vaults[0]
                return Looked(counts={"secrets": 100, "due": len(self.due) if first else 0})
            case names.PLAN_STARTS:
                return self._plan(decode(payload, Round).round)
            case names.START_DUE:
                return self._start(decode(payload, Batch), now)
            case names.END_SWEEP:
                return self._end(decode(payload, Ending))
            case names.NOTIFY_OWNERS:
                return Told(kind=NoticeKind(payload["notice"]["kind"]))
            case names.START_ALONE:
                return {"instance": payload["orchestrator"], "started": True}
        raise AssertionError(f"a sweep never asks for {name}")

    def _plan(self, number: int) -> Planned:
        wanted = self.missed.get(number - 1, []) if number else list(self.costs)
        pace = Pace(self.limits)
        self.plans[number] = list(pace.batches((name, self.costs[name]) for name in wanted))
        return Planned(counts={}, batches=len(self.plans[number]), tolerance=pace.tick / SECOND)

    def _start(self, batch: Batch, now: datetime) -> Started:
        plan = self.plans[batch.round]
        refused = [name for name in plan[batch.number][1] if self.refuses[name] > 0]
        self.refuses -= Counter(refused)
        self.missed.setdefault(batch.round, []).extend(refused)
        well = [name for name in plan[batch.number][1] if name not in refused]
        assert not self.started.keys() & set(well), "started twice"
        self.started |= dict.fromkeys(well, now)
        following = plan[min(batch.number + 1, len(plan) - 1)][0]
        return Started(counts={"started": len(well)}, missed=len(refused), next=following / SECOND)

    def _end(self, ending: Ending) -> Ended:
        left = self.missed.get(ending.last_round, [])
        findings = [Finding(code="not-started", secret=name, message="") for name in left]
        return Ended(counts={"not started": len(left)}, findings=(*ending.findings, *findings, *self.bad))
