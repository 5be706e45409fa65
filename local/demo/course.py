"""What every demo has: a company that is started and told of, a walk that is followed, what came out of it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from local.company import Company
from local.demo import folder as run
from local.demo.calls import Call, calls_of, counted, told
from local.demo.follow import Doing, Ended, Follower, Step
from local.demo.screen import Screen
from local.demo.seeds import bystanders
from local.judge import Check
from local.leaks import Leak
from local.processes import Process
from local.seed_document import merged
from local.stack import Stack

if TYPE_CHECKING:
    import msgspec

_STEP_FUNCTION = re.compile(r": activityTrigger$", re.MULTILINE)


@dataclass
class Outcome:
    """What the demo found out; without checks it didn't get as far."""

    folder: Path
    walk_id: str = ""
    steps: list[Step] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    trouble: str = ""

    @property
    def ok(self) -> bool:
        """Whether it came to its end and every check holds."""
        return bool(self.checks) and all(check.ok for check in self.checks) and not self.trouble


@dataclass
class ToldStack(Stack):
    """A stack that says on a screen what it starts."""

    screen: Screen = field(kw_only=True)

    def _azure(self) -> Process:
        self.screen.done("Azurite", f"storage account: queues and blobs at {_origin(self.storage.blob_endpoint)}")
        self.screen.began("the simulated Azure")
        return super()._azure()

    def _seed(self) -> None:
        services = "Entra, Graph, Key Vault, Event Grid, Azure DevOps, Resource Manager, mail"
        self.screen.done("simulated Azure", f"{services} at https://*.localhost:{self.control.description['port']}")
        super()._seed()
        self.control.seed(merged(bystanders(self.scenario), self.scenario.credential.bystanders()))

    def _host(self) -> Process:
        self.screen.began("the function app")
        return super()._host()


class Course:
    """One run of a demo against a company that is up.

    `walk` is what is followed, `title` and `ended_well` how that is told.
    """

    walk: ClassVar[str]
    title: ClassVar[str]
    ended_well: ClassVar[str]

    def __init__(self, stack: Stack, screen: Screen, outcome: Outcome) -> None:
        self.stack, self.scenario = stack, stack.scenario
        self.screen, self.outcome = screen, outcome
        self.unrelated: set[int] = set()
        self._calls: list[Call] = []

    @classmethod
    def where(cls, walk_id: str) -> Sequence[str]:
        """Say where evidence and status of a walk are."""
        raise NotImplementedError

    def play(self) -> None:
        """Show it all and judge it; what comes out is in the outcome."""
        raise NotImplementedError

    def started(self) -> None:
        """Say that the app is there."""
        functions = len(_STEP_FUNCTION.findall(self.stack.host.output()))
        self.screen.done("function app", f"this repository's, {functions} activities, at {self.stack.host_url}")

    def follow_walk(self, follower: Follower[Any], after: Callable[[Step], None]) -> None:
        """Show a walk as it happens, with the requests it takes; `after` tries for itself what a step claims."""
        for happening in follower.happenings():
            self.outcome.walk_id = follower.walk_id
            match happening:
                case Step():
                    self._show(happening)
                    after(happening)
                case Doing():
                    self.screen.waiting(f"{happening.step}  {happening.note}")
                case Ended():
                    self._ended(happening)
        self.record: msgspec.Struct | None = follower.record

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Don't count the app's requests that are made meanwhile: they aren't the walk's."""
        before = {call.n for call in calls_of(self.stack)}
        yield
        self.unrelated |= {call.n for call in calls_of(self.stack)} - before

    def company(self) -> Company:
        """Return the company's own state, now."""
        return Company.of(self.stack.control.state())

    def count_requests(self) -> None:
        """Count what the walk took."""
        self.outcome.requests = counted(call for call in calls_of(self.stack) if call.n not in self.unrelated)

    def look_back(self) -> None:
        """Show what it took and who was told."""
        mails = self.company().email.outbox
        run.write_mails(self.outcome.folder, mails)
        run.write_evidence(self.outcome.folder, self.record, self.stack.control.requests())
        self.screen.part(f"Mails (HTML and text: {run.shown(self.outcome.folder)}/mails/)")
        self.screen.mails(mails)
        total = sum(self.outcome.requests.values())
        of = f"The app's {total} HTTP requests for the {self.walk}"
        self.screen.part(f"{of} (storage not counted; process started cold)")
        self.screen.numbers(self.outcome.requests)

    def _show(self, step: Step) -> None:
        self.outcome.steps.append(step)
        mine = [call for call in self._fresh() if call.at <= step.ended]
        self._calls += mine
        self.screen.step(step, told(mine))

    def _ended(self, end: Ended) -> None:
        if (end.status, end.result) != ("Completed", "done"):
            self.outcome.trouble = f"the {self.walk} ended {end.status}: {end.result or 'without saying why'}"

    def _fresh(self) -> list[Call]:
        since = calls_of(self.stack, since=self._calls[-1].n if self._calls else 0)
        return [call for call in since if call.n not in self.unrelated]


def _origin(url: str) -> str:
    return url.rpartition("/")[0]
