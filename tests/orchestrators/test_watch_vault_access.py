"""One pass over the audit logs: its order, what a log that fails leaves to the others, what is told and settled."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import repeat
from typing import Any

import pytest

from orchestrators import watch_vault_access
from rekey import names
from rekey.model import Notice, NoticeKind, Ok, Outcome, Permanent, Told, encode
from rekey.model.audit import Alert, Alerts, Logs, Place, Read, Trouble
from tests.orchestrators.engine import BEGIN, Activity, Engine, Instance, replay
from tests.orchestrators.scripts import BUSY, LOST, REFUSED
from tests.triggers.durable import functions

WATCH = functions(watch_vault_access.blueprint)[names.WATCH_VAULT_ACCESS].get_user_function().orchestrator_function
OVERTAKEN = Permanent("audit-overtaken", "somebody else")
MORE = Ok(encode(Read(read=10, lines=2, more=True)))


def alert(number: int) -> Alert:
    """Return an alert of that number."""
    notice = Notice(kind=NoticeKind.ALERT, rotation_id=f"alert-{number}", vault="kv-0", secret="s", to=())
    return Alert(id=f"alert-{number}", notice=notice, owners=("dana@contoso.example",))


def told(*alerts: Alert, more: bool = False) -> Ok:
    """Return what plan_alerts answers."""
    return Ok(encode(Alerts(alerts=alerts, more=more)))


@dataclass
class Watching:
    """So many vaults with a log each, in which nothing is new unless a test says otherwise."""

    vaults: int = 2
    missing: tuple[str, ...] = ()
    script: dict[str, Iterator[Outcome | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine({names.WATCH_VAULT_ACCESS: WATCH}, self._activity)

    def says(self, step: str, *outcomes: Outcome | None, vault: str = "") -> "Watching":
        """Let a step answer these outcomes first, for one vault or any; None is what it would answer."""
        self.script[f"{step} {vault}".strip()] = iter(outcomes)
        return self

    def run(self, instance_id: str = names.WATCH_VAULT_ACCESS) -> Instance:
        """Run a pass to its end."""
        return self.engine.run(names.WATCH_VAULT_ACCESS, instance_id, None)

    @property
    def steps(self) -> list[str]:
        """The steps in the order they were asked for, with their vault or alert."""
        return [" ".join(filter(None, (call.what, _about(call.payload)))) for call in self.engine.calls]

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, _now: datetime) -> Any:
            vault = payload.get("place", {}).get("vault", "")
            scripted = next(self.script.get(f"{name} {vault}", self.script.get(name, iter(()))), None)
            return encode(scripted or Ok(encode(self._well(name))))

        return act

    def _well(self, name: str) -> Any:
        match name:
            case names.LIST_AUDIT_LOGS:
                places = [Place(account=0, prefix=f"p{n}/", vault=f"kv-{n}") for n in range(self.vaults)]
                return Logs(places=tuple(places), missing=self.missing)
            case names.READ_AUDIT_LOG:
                return Read()
            case names.PLAN_ALERTS:
                return Alerts()
            case names.NOTIFY_OWNERS:
                return Told(kind=NoticeKind.ALERT)
        return None


def _about(payload: Any) -> str:
    known = payload.get("alert") or payload.get("notice", {}).get("rotation_id")
    return str(known or payload.get("place", {}).get("vault", ""))


def test_every_log_is_read_then_people_are_told() -> None:
    """What is decided is sent before it is forgotten, vault by vault; the result has what was counted."""
    read = Ok(encode(Read(read=700, lines=3, unreadable=1, hits=2)))
    watching = Watching(missing=("kv-9",)).says(names.READ_AUDIT_LOG, read).says(names.PLAN_ALERTS, told(alert(1)))
    ended = watching.run()
    assert watching.steps == [
        names.LIST_AUDIT_LOGS,
        f"{names.READ_AUDIT_LOG} kv-0",
        f"{names.READ_AUDIT_LOG} kv-1",
        f"{names.PLAN_ALERTS} kv-0",
        f"{names.NOTIFY_OWNERS} alert alert-1",
        f"{names.SETTLE_ALERT} alert-1",
        f"{names.PLAN_ALERTS} kv-1",
    ]
    assert ended.output["counts"] == {"read": 700, "lines": 3, "unreadable": 1, "hits": 2, "alerts": 1}
    assert (ended.output["missing"], ended.output["failed"], ended.output["left"]) == (["kv-9"], [], [])
    assert ended.statuses[-1]["state"] == "done"


def test_an_alert_is_for_the_owners_and_has_no_record() -> None:
    """The telling names the owners that were decided on, and nobody else."""
    watching = Watching(1).says(names.PLAN_ALERTS, told(alert(1)))
    watching.run()
    (telling,) = [call.payload for call in watching.engine.calls if call.name == names.NOTIFY_OWNERS]
    assert telling["owners"] == ["dana@contoso.example"]
    assert (telling["notify"], telling["application_owners"], telling["has_record"]) == ([], [], False)


@pytest.mark.parametrize("broken", [names.READ_AUDIT_LOG, names.PLAN_ALERTS, names.SETTLE_ALERT])
@pytest.mark.parametrize("outcome", [REFUSED, BUSY])
def test_a_log_that_fails_stops_no_other(broken: str, outcome: Outcome) -> None:
    """For good or for a while: the others are read and told, and the result and the status say what failed."""
    plan = told(alert(1)) if broken == names.SETTLE_ALERT else None
    watching = Watching().says(names.PLAN_ALERTS, plan, vault="kv-0").says(broken, *repeat(outcome, 50), vault="kv-0")
    ended = watching.run()
    assert [f["vault"] for f in ended.output["failed"]] == ["kv-0"]
    assert ended.output["failed"][0]["step"] == broken
    assert ended.statuses[-1]["failed"] == ended.output["failed"]
    assert {f"{names.READ_AUDIT_LOG} kv-1", f"{names.PLAN_ALERTS} kv-1"} <= set(watching.steps)


def test_an_account_that_fails_stops_no_other() -> None:
    """What one of several storage accounts has against being listed is in the result, and the others are read."""
    trouble = Trouble(code="forbidden", message="audit logs of account 1: HTTP 403", what_to_do="Grant it.")
    logs = Logs(places=(Place(account=0, prefix="p0/", vault="kv-0"),), troubles=(trouble,))
    watching = Watching(1).says(names.LIST_AUDIT_LOGS, Ok(encode(logs)))
    (failed,) = watching.run().output["failed"]
    assert failed == {"vault": "", "step": names.LIST_AUDIT_LOGS, **encode(trouble)}
    assert f"{names.READ_AUDIT_LOG} kv-0" in watching.steps


def test_what_was_decided_is_told_though_the_log_cannot_be_read() -> None:
    """A pass that finds no storage of the logs still tells what an earlier one left."""
    watching = Watching(1).says(names.READ_AUDIT_LOG, REFUSED).says(names.PLAN_ALERTS, told(alert(1)))
    assert watching.run().output["counts"]["alerts"] == 1


def test_a_busy_vault_does_not_starve_the_others() -> None:
    """Logs with more to read are read in turns."""
    watching = Watching(3).says(names.READ_AUDIT_LOG, MORE, MORE, vault="kv-0").says(names.READ_AUDIT_LOG, MORE)
    watching.says(names.READ_AUDIT_LOG, MORE, vault="kv-1")
    watching.run()
    read = [step.split()[-1] for step in watching.steps if step.startswith(names.READ_AUDIT_LOG)]
    assert read == ["kv-0", "kv-1", "kv-2", "kv-0", "kv-1", "kv-2", "kv-0"]


def test_a_pass_ends_and_leaves_the_rest_to_the_next() -> None:
    """A log without end is read for a while, what was found is told, and the result says what is left."""
    watching = Watching().says(names.READ_AUDIT_LOG, *repeat(MORE, 10_000), vault="kv-0")
    ended = watching.run()
    turns = sum(step == f"{names.READ_AUDIT_LOG} kv-0" for step in watching.steps)
    assert turns <= watch_vault_access.MOST_TURNS + 2
    assert (ended.output["result"], ended.output["left"]) == ("done", ["kv-0"])
    assert watching.steps[-1] == f"{names.PLAN_ALERTS} kv-1"


def test_storage_that_is_away_holds_up_a_pass_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each of many logs is tried for a while: the next pass finds out whether it is back."""
    monkeypatch.setattr(watch_vault_access, "LONGEST", 2 * watch_vault_access.PATIENCE)
    watching = Watching(10).says(names.READ_AUDIT_LOG, *repeat(BUSY, 1_000))
    ended = watching.run()
    assert (len(ended.output["failed"]), len(ended.output["left"])) in {(number, 10 - number) for number in range(2, 6)}
    assert watching.engine.now - BEGIN < 3 * watch_vault_access.PATIENCE


def test_mail_that_does_not_go_is_kept_and_settled() -> None:
    """The outbox has it from there on."""
    watching = Watching(1).says(names.PLAN_ALERTS, told(alert(1))).says(names.NOTIFY_OWNERS, REFUSED)
    assert watching.run().output["counts"]["alerts"] == 1
    assert watching.steps[-3:] == [
        f"{names.NOTIFY_OWNERS} alert alert-1",
        f"{names.NOTIFY_OWNERS} alert kept alert-1",
        f"{names.SETTLE_ALERT} alert-1",
    ]


def test_mail_that_is_down_is_waited_for_once() -> None:
    """Alerts after the first that didn't go wait in the outbox at once, so that the next logs are read in time."""
    watching = Watching().says(names.PLAN_ALERTS, told(alert(1), alert(2)), told(alert(3)))
    watching.says(names.NOTIFY_OWNERS, REFUSED)
    assert watching.run().output["counts"]["alerts"] == 3
    told_of = [step.removeprefix(names.NOTIFY_OWNERS) for step in watching.steps if names.NOTIFY_OWNERS in step]
    assert told_of == [" alert alert-1", " alert kept alert-1", " alert kept alert-2", " alert kept alert-3"]


def test_an_alert_that_can_be_neither_sent_nor_kept_is_not_settled() -> None:
    """It stays decided, and the next pass tells it."""
    watching = Watching().says(names.PLAN_ALERTS, told(alert(1)), told(alert(2)))
    watching.says(names.NOTIFY_OWNERS, REFUSED, REFUSED)
    ended = watching.run()
    assert [(f["vault"], f["code"]) for f in ended.output["failed"]] == [("kv-0", "alert-not-told")]
    assert f"{names.SETTLE_ALERT} alert-1" not in watching.steps
    assert watching.steps[-1] == f"{names.SETTLE_ALERT} alert-2"


def test_what_waits_for_a_letter_is_told_after_it() -> None:
    """Letters of an earlier pass go first; then it is asked again, a bounded number of times."""
    watching = Watching(1).says(names.PLAN_ALERTS, told(alert(1), more=True), told(alert(2)))
    assert watching.run().output["counts"]["alerts"] == 2
    endless = Watching(1).says(names.PLAN_ALERTS, *repeat(told(alert(1), more=True), 99))
    endless.run()
    assert sum(step.startswith(names.PLAN_ALERTS) for step in endless.steps) == watch_vault_access.MOST_PLANS


def test_logs_that_cannot_be_listed_end_it_as_failed() -> None:
    """The portal shows it red, with the step and what to do; the nightly check tells people."""
    ended = Watching().says(names.LIST_AUDIT_LOGS, REFUSED).run()
    assert ended.failed
    assert (ended.statuses[-1]["state"], ended.statuses[-1]["failed"][0]["what_to_do"]) == ("failed", "Grant it.")


def test_the_status_stays_small() -> None:
    """However many logs fail, it is far from the 16 KB that a status may have."""
    ended = Watching(60).says(names.READ_AUDIT_LOG, *repeat(OVERTAKEN, 60)).run()
    assert len(ended.output["failed"]) == 60
    assert max(len(str(status)) for status in ended.statuses) < 4_000


def test_another_instance_hands_over() -> None:
    """There is one pass at a time; started under another id it starts that one."""
    watching = Watching()
    assert watching.run("by-hand").output == {"result": "forwarded", "instance": names.WATCH_VAULT_ACCESS}
    assert watching.steps == [names.START_ALONE]


def test_every_episode_decides_the_same_again() -> None:
    """Replayed from its history, each gives byte for byte the same answer."""
    watching = Watching().says(names.READ_AUDIT_LOG, BUSY, MORE, LOST).says(names.PLAN_ALERTS, told(alert(1)))
    for request, response in watching.says(names.NOTIFY_OWNERS, BUSY).run().episodes:
        assert replay(WATCH, request).SerializeToString() == response
