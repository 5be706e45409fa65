"""The demo's course: start a company, raise the event, follow the rotation, try the credentials, judge what is left."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from local.company import Company
from local.demo import folder as run
from local.demo.calls import Call, calls_of, counted, told
from local.demo.follow import Doing, Ended, Follower, Step
from local.demo.readers import Readers, caught
from local.demo.screen import Screen
from local.demo.seeds import bystanders
from local.demo.witness import Witness
from local.judge import Check, checks
from local.leaks import Leak
from local.processes import Process
from local.seed_document import merged
from local.seen import current_version, look
from local.stack import Stack
from rekey import names
from rekey.model import NoticeKind, Told, decode
from rekey.records import Entry

_STEP_FUNCTION = re.compile(r": activityTrigger$", re.MULTILINE)


@dataclass
class Outcome:
    """What the demo found out; without checks it didn't get as far."""

    folder: Path
    rotation_id: str = ""
    steps: list[Step] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    trouble: str = ""

    @property
    def ok(self) -> bool:
        """Whether the rotation came to its end and every check holds."""
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


class Show:
    """One run of the demo against a company that is up."""

    def __init__(self, stack: Stack, screen: Screen, outcome: Outcome) -> None:
        self.stack, self.scenario = stack, stack.scenario
        self.screen, self.outcome = screen, outcome
        self._calls: list[Call] = []

    def play(self) -> None:
        """Show it all and judge it; what comes out is in the outcome."""
        functions = len(_STEP_FUNCTION.findall(self.stack.host.output()))
        self.screen.done("function app", f"this repository's, {functions} activities, at {self.stack.host_url}")
        self.introduce()
        self.follow()
        self.count_requests()
        self.readers.intrude()
        self.look_back()
        self.judge()

    def introduce(self) -> None:
        """Name who and what is there, and prove that it works before anything happens."""
        scenario, credential = self.scenario, self.scenario.credential
        third_parties = [f"{to} (third party)" for to in scenario.third_parties]
        self.screen.part("The company (new names and secrets in every run)")
        self.screen.waiting("trying what there is")
        ends = f"in {scenario.expires_in_days:g} days its {credential.word} {credential.over}"
        self.screen.lines(
            f"secret      {scenario.vault}/{scenario.secret}, {ends}",
            f"issued for  {credential.issued_for()}",
            *(f"{consumer.part:12}{consumer.shown()}" for consumer in scenario.consumers),
            f"people      {', '.join([f'{scenario.owner} (owner)', *third_parties])}",
        )
        self.readers = Readers(self.stack, self.screen)
        self.witness = Witness(self.stack, self.screen)
        self.witness.before()

    def follow(self) -> None:
        """Raise the event and show the rotation as it happens."""
        self.screen.part("The rotation")
        self.stack.store_secret()
        self.before = self.stack.control.state()
        self.screen.event(f"Key Vault raises SecretNearExpiry for {self.scenario.vault}/{self.scenario.secret}")
        self.screen.waiting("Event Grid delivers the event into the queue")
        follower = Follower(self.stack, self.scenario.credential.ends(self.company()))
        for happening in follower.happenings():
            self.outcome.rotation_id = follower.rotation_id
            match happening:
                case Step():
                    self.show_step(happening)
                case Doing():
                    self.screen.waiting(f"{happening.step}  {happening.note}")
                case Ended():
                    self.ended(happening)
        self.record = follower.record
        self.count_events()

    def show_step(self, step: Step) -> None:
        """Show a step with the requests it took, then try for oneself what it claims."""
        self.outcome.steps.append(step)
        mine = [call for call in self._fresh() if call.at <= step.ended]
        self._calls += mine
        self.screen.step(step, told(mine))
        if step.outcome == "ok":
            self.witness.after(step, self.outcome.rotation_id)
        if step.step == names.NOTIFY_OWNERS and step.entry and _kind(step.entry) == NoticeKind.SWITCHED:
            self.readers.in_grace()

    def company(self) -> Company:
        """Return the company's own state, now."""
        return Company.of(self.stack.control.state())

    def ended(self, end: Ended) -> None:
        """Note how the rotation ended."""
        if (end.status, end.result) != ("Completed", "done"):
            self.outcome.trouble = f"the rotation ended {end.status}: {end.result or 'without saying why'}"

    def count_events(self) -> None:
        """Say how often the event came."""
        old = current_version(self.scenario, self.before).id
        copies = len(self.company().copies("SecretNearExpiry", old))
        claim = f"Event Grid delivered that event {copies} times, as it may; what came of it is judged below"
        self.screen.witnessed(claim, ok=copies > 0)

    def count_requests(self) -> None:
        """Count what the rotation took."""
        self.outcome.requests = counted(call for call in calls_of(self.stack) if call.n not in self.readers.unrelated)

    def look_back(self) -> None:
        """Show what it took and who was told."""
        mails = self.company().email.outbox
        run.write_mails(self.outcome.folder, mails)
        run.write_evidence(self.outcome.folder, self.record, self.stack.control.requests())
        self.screen.part(f"Mails (HTML and text: {run.shown(self.outcome.folder)}/mails/)")
        self.screen.mails(mails)
        total = sum(self.outcome.requests.values())
        self.screen.part(
            f"The app's {total} HTTP requests for the rotation (storage not counted; process started cold)"
        )
        self.screen.numbers(self.outcome.requests)

    def judge(self) -> None:
        """Judge what is left, by the services' own state."""
        self.screen.part("What the simulated services themselves say now")
        self.screen.waiting("looking everywhere")
        seen = look(self.stack, self.before, {"what the demo printed": self.screen.printed().encode()})
        self.outcome.checks, self.outcome.leaks = [*checks(seen), caught(self.scenario, seen.after)], list(seen.leaks)
        self.screen.checks(self.outcome.checks)

    def _fresh(self) -> list[Call]:
        since = calls_of(self.stack, since=self._calls[-1].n if self._calls else 0)
        return [call for call in since if call.n not in self.readers.unrelated]


def _kind(notified: Entry) -> str:
    return decode(notified.detail, Told).kind


def _origin(url: str) -> str:
    return url.rpartition("/")[0]
