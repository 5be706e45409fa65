"""The rotation's demo: raise the event, follow the rotation, try the credentials, judge what is left."""

from collections.abc import Sequence

from local.demo.course import Course
from local.demo.follow import Follower, Step
from local.demo.readers import Readers, caught
from local.demo.runbook import Rotation
from local.demo.witness import Witness
from local.judge import checks
from local.seen import current_version, look
from rekey import names
from rekey.model import NoticeKind, Told, decode
from rekey.records import Entry


class Show(Course):
    """One run of the demo of a rotation."""

    walk = "rotation"
    title = "one whole rotation"
    ended_well = "Rotated"

    @classmethod
    def where(cls, walk_id: str) -> Sequence[str]:
        """Say where evidence and status are."""
        return (
            f"evidence    blob rekey/records/{walk_id}.json (a copy is evidence.json)",
            "status      <host>/runtime/webhooks/durabletask/instances/rotate.<vault>.<secret>",
            f"            <host>/api/rotations/{walk_id}",
        )

    def play(self) -> None:
        """Show it all and judge it; what comes out is in the outcome."""
        self.started()
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
        self.readers = Readers(self.stack, self.screen, self.unrelated)
        self.witness = Witness(self.stack, self.screen)
        self.witness.before()

    def follow(self) -> None:
        """Raise the event and show the rotation as it happens."""
        self.screen.part("The rotation")
        self.stack.store_secret()
        self.before = self.stack.control.state()
        self.screen.event(f"Key Vault raises SecretNearExpiry for {self.scenario.vault}/{self.scenario.secret}")
        self.screen.waiting("Event Grid delivers the event into the queue")
        rotation = Rotation(self.scenario, self.scenario.credential.ends(self.company()))
        self.follow_walk(Follower(self.stack, rotation), self.try_out)
        self.count_events()

    def try_out(self, step: Step) -> None:
        """Try for oneself what a step claims, and have the secret read in the grace period."""
        if step.outcome == "ok":
            self.witness.after(step, self.outcome.walk_id)
        if step.step == names.NOTIFY_OWNERS and step.entry and _kind(step.entry) == NoticeKind.SWITCHED:
            self.readers.in_grace()

    def count_events(self) -> None:
        """Say how often the event came."""
        old = current_version(self.scenario, self.before).id
        copies = len(self.company().copies("SecretNearExpiry", old))
        claim = f"Event Grid delivered that event {copies} times, as it may; what came of it is judged below"
        self.screen.witnessed(claim, ok=copies > 0)

    def judge(self) -> None:
        """Judge what is left, by the services' own state."""
        self.screen.part("What the simulated services themselves say now")
        self.screen.waiting("looking everywhere")
        seen = look(self.stack, self.before, {"what the demo printed": self.screen.printed().encode()})
        self.outcome.checks, self.outcome.leaks = [*checks(seen), caught(self.scenario, seen.after)], list(seen.leaks)
        self.screen.checks(self.outcome.checks)


def _kind(notified: Entry) -> str:
    return decode(notified.detail, Told).kind
