"""The nightly check's order, what a part that fails leaves to the others, and what is told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import Any

import pytest

from orchestrators import purge_history, reconcile
from rekey import names
from rekey.model import Finding, Notice, NoticeKind, Ok, Outcome, Told, decode, encode
from rekey.model.night import Looked, Part, Places, Summed, Summing
from rekey.model.purge import Purge, Purged
from tests.orchestrators.engine import BEGIN, Activity, Engine, Instance, replay
from tests.orchestrators.scripts import BUSY, REFUSED
from tests.triggers.durable import functions

ORCHESTRATORS = {
    name: functions(module.blueprint)[name].get_user_function().orchestrator_function
    for name, module in ((names.RECONCILE, reconcile), (names.PURGE_HISTORY, purge_history))
}


@dataclass
class Night:
    """What the parts answer: two vaults, two groups of targets, nothing found unless a test says otherwise."""

    script: dict[str, Iterator[Outcome]] = field(default_factory=dict)
    silent: bool = False

    def __post_init__(self) -> None:
        self.engine = Engine(ORCHESTRATORS, self._activity)

    def says(self, step: str, *outcomes: Outcome) -> "Night":
        """Let a step answer these outcomes first."""
        self.script[step] = iter(outcomes)
        return self

    def run(self, name: str = names.RECONCILE, instance_id: str = "") -> Instance:
        """Run an orchestrator to its end."""
        return self.engine.run(name, instance_id or name, None)

    @property
    def steps(self) -> list[str]:
        """The steps in the order they were asked for."""
        return [call.what for call in self.engine.calls]

    def asked(self, step: str) -> list[Part]:
        """Return what that part was told each time."""
        return [decode(call.payload, Part) for call in self.engine.calls if call.name == step]

    @property
    def summing(self) -> Summing:
        """What was summed up."""
        (call,) = [call for call in self.engine.calls if call.name == names.SUM_UP_NIGHT]
        return decode(call.payload, Summing)

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, _now: datetime) -> Any:
            return encode(next(self.script.get(name, iter(())), None) or Ok(encode(self._well(name, payload))))

        return act

    def _well(self, name: str, payload: Any) -> Any:
        match name:
            case names.LIST_PLACES:
                return Places(vaults=("kv-one", "kv-two"), groups=2)
            case names.SUM_UP_NIGHT:
                failed = decode(payload, Summing).failed
                return Summed(findings=len(failed), notice=None if self.silent else _notice(*failed))
            case names.NOTIFY_OWNERS:
                return Told(kind=NoticeKind.RECONCILE)
            case names.PURGE_INSTANCES:
                return Purged()
            case names.START_ALONE:
                return {"instance": "x", "started": True}
        return Looked(counts={"secrets": 3} if name == names.FIND_UNWELL_SECRETS else {})


def _notice(*findings: Finding) -> Notice:
    return Notice(kind=NoticeKind.RECONCILE, rotation_id="run", vault="", secret="", to=(), findings=findings)


ORDER = [
    names.LIST_PLACES,
    names.FIND_UNWELL_SECRETS,
    names.FIND_UNWELL_SECRETS,
    names.FIND_STAGED_LEFTOVERS,
    names.FIND_ISSUED_LEFTOVERS,
    names.FIND_ISSUED_LEFTOVERS,
    names.FIND_STUCK_ROTATIONS,
    names.FIND_WAITING_NOTICES,
    names.FIND_UNREAD_LOGS,
    names.SUM_UP_NIGHT,
    f"{names.NOTIFY_OWNERS} reconcile",
]


def test_what_proves_a_need_comes_before_what_removes() -> None:
    """Vaults, staged values, credentials, records, mails, audit logs; then one mail with all that was counted."""
    night = Night()
    ended = night.run()
    assert night.steps == ORDER
    assert [part.vault for part in night.asked(names.FIND_UNWELL_SECRETS)] == ["kv-one", "kv-two"]
    assert [part.group for part in night.asked(names.FIND_ISSUED_LEFTOVERS)] == [0, 1]
    assert night.asked(names.FIND_STUCK_ROTATIONS)[0].all_seen
    assert night.summing.counts == {"secrets": 6}
    assert (ended.output["result"], ended.output["counts"]) == ("told", {"secrets": 6})
    assert ended.statuses[-1]["state"] == "done"


@pytest.mark.parametrize("broken", dict.fromkeys(ORDER[1:-2]))
def test_a_part_that_fails_is_a_finding_and_stops_no_other(broken: str) -> None:
    """Whatever can't be looked at is told with what to do, and no record is closed on what wasn't seen."""
    night = Night().says(broken, *repeat(REFUSED, 2))
    assert night.run().output["result"] == "told"
    assert night.steps == ORDER
    assert {(f.code, f.subject, f.what_to_do) for f in night.summing.failed} == {("look-failed", broken, "Grant it.")}
    before_records = ORDER.index(broken) < ORDER.index(names.FIND_STUCK_ROTATIONS)
    assert night.asked(names.FIND_STUCK_ROTATIONS)[0].all_seen is not before_records


def test_a_vault_that_fails_is_named() -> None:
    """Which vault it was is in the finding."""
    night = Night().says(names.FIND_UNWELL_SECRETS, REFUSED)
    night.run()
    assert [f.vault for f in night.summing.failed] == ["kv-one"]


def test_a_part_that_is_busy_is_tried_again_for_a_while() -> None:
    """Throttled once, it works the second time; throttled for ever, the night goes on without it."""
    night = Night().says(names.FIND_STAGED_LEFTOVERS, BUSY)
    night.run()
    assert night.summing.failed == ()
    endless = Night().says(names.FIND_STAGED_LEFTOVERS, *repeat(BUSY, 500))
    assert endless.run().output["result"] == "told"
    assert [f.subject for f in endless.summing.failed] == [names.FIND_STAGED_LEFTOVERS]
    assert (endless.engine.now - BEGIN).total_seconds() < 1800


def test_a_part_with_more_to_look_at_is_called_again() -> None:
    """Until it is through, and what it counted last counts once."""
    more = Ok(encode(Looked(counts={"secrets": 3}, more=True)))
    night = Night().says(names.FIND_UNWELL_SECRETS, more, more)
    night.run()
    assert [part.vault for part in night.asked(names.FIND_UNWELL_SECRETS)] == ["kv-one"] * 3 + ["kv-two"]
    assert night.summing.counts == {"secrets": 6}


def test_an_app_that_does_not_rotate_looks_at_records_and_mails_alone() -> None:
    """It has no vault to look into, and what goes nowhere is told all the same."""
    night = Night().says(names.LIST_PLACES, Ok(encode(Places(vaults=(), groups=0, rotates=False))))
    assert night.run().output["result"] == "told"
    looked = [names.LIST_PLACES, names.FIND_STUCK_ROTATIONS, names.FIND_WAITING_NOTICES, names.SUM_UP_NIGHT]
    assert night.steps == [*looked, "notify_owners reconcile"]


def test_nothing_to_say_is_not_mailed() -> None:
    """Silence is a result of its own."""
    night = Night(silent=True)
    assert night.run().output["result"] == "silent"
    assert night.steps == ORDER[:-1]


def test_a_night_that_cannot_be_summed_up_is_told() -> None:
    """Storage that is away for good stops the check, not the mail about it; the instance ends as Failed."""
    night = Night().says(names.SUM_UP_NIGHT, REFUSED).says(names.FIND_STAGED_LEFTOVERS, REFUSED)
    assert night.run().failed
    told = decode(night.engine.calls[-1].payload["notice"], Notice)
    assert [f.subject for f in told.findings] == [names.FIND_STAGED_LEFTOVERS, names.SUM_UP_NIGHT]


@pytest.mark.parametrize("name", [names.RECONCILE, names.PURGE_HISTORY])
def test_another_instance_hands_over(name: str) -> None:
    """There is one of each; started under another id it starts that one."""
    night = Night()
    assert night.run(name, "by-hand").output == {"result": "forwarded", "instance": name}
    assert night.steps == [names.START_ALONE]


def test_history_is_purged_batch_by_batch() -> None:
    """As long as there is more; the status says how many are gone and how many were kept."""
    batches = [Ok(encode(Purged(purged=200, kept=3, more=True))), Ok(encode(Purged(purged=7, kept=3)))]
    night = Night().says(names.PURGE_INSTANCES, *batches)
    ended = night.run(names.PURGE_HISTORY)
    assert ended.output == {"result": "done", "purged": 207, "kept": 3}
    assert (ended.statuses[-1]["state"], ended.statuses[-1]["purged"]) == ("done", 207)
    assert {decode(call.payload, Purge).started for call in night.engine.calls} == {BEGIN}


def test_purging_that_fails_ends_as_failed() -> None:
    """The portal shows it red; what was purged before stays purged."""
    night = Night().says(names.PURGE_INSTANCES, Ok(encode(Purged(purged=200, more=True))), REFUSED)
    ended = night.run(names.PURGE_HISTORY)
    assert ended.failed
    assert (ended.statuses[-1]["state"], ended.statuses[-1]["purged"]) == ("failed", 200)


@pytest.mark.parametrize("name", [names.RECONCILE, names.PURGE_HISTORY])
def test_every_episode_decides_the_same_again(name: str) -> None:
    """Replayed from its history, each gives byte for byte the same answer."""
    night = Night().says(names.FIND_ISSUED_LEFTOVERS, BUSY, REFUSED).says(names.PURGE_INSTANCES, BUSY)
    for request, response in night.run(name).episodes:
        assert replay(ORCHESTRATORS[name], request).SerializeToString() == response
