"""One audit of service connections: its order, what a project that fails leaves to the others, waits, what is told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

import pytest

from orchestrators import audit_service_connections
from rekey import names
from rekey.model import Notice, NoticeKind, Ok, Outcome, Told, encode
from rekey.model.connections import ProjectName, ProjectRead, Projects, Reported
from tests.orchestrators.engine import Activity, Engine, Instance, replay
from tests.orchestrators.scripts import BUSY, LOST, REFUSED
from tests.triggers.durable import functions

_REGISTERED = functions(audit_service_connections.blueprint)[names.AUDIT_SERVICE_CONNECTIONS]
AUDIT = _REGISTERED.get_user_function().orchestrator_function
NOTICE = Notice(kind=NoticeKind.CONNECTIONS, rotation_id="run", vault="", secret="", to=())


def read(*, more: bool = True, pause: float = 0.0) -> Ok:
    """Return what audit_project answers."""
    return Ok(encode(ProjectRead(connections=2, more=more, pause=pause)))


@dataclass
class Auditing:
    """So many projects, each read in one turn unless a test says otherwise."""

    projects: int = 2
    script: dict[str, Iterator[Outcome | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine({names.AUDIT_SERVICE_CONNECTIONS: AUDIT}, self._activity)

    def says(self, step: str, *outcomes: Outcome | None, project: str = "") -> "Auditing":
        """Let a step answer these outcomes first, for one project or any; None is what it would answer."""
        self.script[f"{step} {project}".strip()] = iter(outcomes)
        return self

    def run(self, instance_id: str = names.AUDIT_SERVICE_CONNECTIONS) -> Instance:
        """Run an audit to its end."""
        return self.engine.run(names.AUDIT_SERVICE_CONNECTIONS, instance_id, None)

    @property
    def steps(self) -> list[str]:
        """The steps in the order they were asked for, with their project."""
        return [f"{call.what} {_project(call.payload)}".strip() for call in self.engine.calls]

    @property
    def reported(self) -> Any:
        """What report_connections was asked."""
        (asked,) = [call.payload for call in self.engine.calls if call.name == names.REPORT_CONNECTIONS]
        return asked

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, _now: datetime) -> Any:
            key = f"{name} {_project(payload)}"
            scripted = next(self.script.get(key, self.script.get(name, iter(()))), None)
            return encode(scripted or Ok(encode(self._well(name))))

        return act

    def _well(self, name: str) -> Any:
        match name:
            case names.LIST_PROJECTS:
                found = (ProjectName(organization="contoso", project=f"p{n}") for n in range(self.projects))
                return Projects(projects=tuple(found))
            case names.AUDIT_PROJECT:
                return ProjectRead(connections=2)
            case names.REPORT_CONNECTIONS:
                return Reported(counts={"connections": 4}, notice=NOTICE)
            case names.NOTIFY_OWNERS:
                return Told(kind=NoticeKind.CONNECTIONS)
        return None


def _project(payload: Any) -> str:
    found = payload.get("project") if isinstance(payload, dict) else None
    return found["project"] if found else ""


def test_every_project_is_read_then_it_is_told() -> None:
    """One activity per project, then the report, then its mail; status and result have the numbers."""
    auditing = Auditing()
    ended = auditing.run()
    read_both = [f"{names.AUDIT_PROJECT} p0", f"{names.AUDIT_PROJECT} p1"]
    told = f"{names.NOTIFY_OWNERS} connections"
    assert auditing.steps == [names.LIST_PROJECTS, *read_both, names.REPORT_CONNECTIONS, told]
    assert (ended.output["result"], ended.output["counts"], ended.output["unseen"]) == ("told", {"connections": 4}, 0)
    assert (ended.statuses[-1]["state"], ended.statuses[-1]["projects"], ended.statuses[-1]["read"]) == ("done", 2, 2)


def test_nothing_to_tell_is_no_mail() -> None:
    """A report that says nothing new is silent."""
    auditing = Auditing().says(names.REPORT_CONNECTIONS, Ok(encode(Reported(counts={"connections": 4}))))
    assert auditing.run().output["result"] == "silent"
    assert auditing.steps[-1] == names.REPORT_CONNECTIONS


@pytest.mark.parametrize(("outcome", "code"), [(REFUSED, "forbidden"), (BUSY, "throttled"), (LOST, "answer-lost")])
def test_a_project_that_fails_stops_no_other(outcome: Outcome, code: str) -> None:
    """For good or for a while: the others are read, and the report is told which one wasn't and why."""
    auditing = Auditing(3).says(names.AUDIT_PROJECT, *repeat(outcome, 50), project="p1")
    ended = auditing.run()
    assert {f"{names.AUDIT_PROJECT} p0", f"{names.AUDIT_PROJECT} p2"} <= set(auditing.steps)
    assert [(one["project"], one["code"]) for one in auditing.reported["unseen"]] == [("p1", code)]
    assert len(auditing.reported["projects"]) == 3
    assert ended.output["unseen"] == 1


def test_a_large_project_does_not_keep_the_others_waiting() -> None:
    """What has more to read is read in turns."""
    auditing = Auditing(3).says(names.AUDIT_PROJECT, read(), read(), project="p0")
    auditing.run()
    read_in = [step.split()[-1] for step in auditing.steps if step.startswith(names.AUDIT_PROJECT)]
    assert read_in == ["p0", "p1", "p2", "p0", "p0"]


@pytest.mark.parametrize(("asked", "waited"), [(45.0, 45.0), (86_400.0, audit_service_connections.LONGEST_PAUSE)])
def test_a_pause_that_is_asked_for_is_kept(asked: float, waited: float) -> None:
    """On a timer of the engine, and never for hours, whatever a header says."""
    auditing = Auditing().says(names.AUDIT_PROJECT, read(pause=asked))
    auditing.run()
    first, second = [call.at for call in auditing.engine.calls if call.name == names.AUDIT_PROJECT][:2]
    over = second - first - timedelta(seconds=waited)
    assert timedelta(0) <= over < timedelta(seconds=1)


def test_an_audit_that_takes_too_long_says_what_it_left() -> None:
    """A project without end neither runs for ever nor is forgotten."""
    endless = Auditing(2).says(names.AUDIT_PROJECT, *repeat(read(pause=600.0), 100), project="p0")
    endless.run()
    assert [(one["project"], one["code"]) for one in endless.reported["unseen"]] == [("p0", "no-time")]


@pytest.mark.parametrize("step", [names.LIST_PROJECTS, names.REPORT_CONNECTIONS])
def test_an_audit_that_cannot_be_made_fails_aloud(step: str) -> None:
    """The instance ends as Failed and names the step; there is nothing to tell yet."""
    auditing = Auditing().says(step, REFUSED)
    ended = auditing.run()
    assert ended.failed
    assert step in ended.failure
    assert ended.statuses[-1]["state"] == "failed"


def test_another_instance_starts_the_one() -> None:
    """One audit at a time, whoever starts it under whichever id."""
    auditing = Auditing()
    assert auditing.run("by-hand").output == {"result": "forwarded", "instance": names.AUDIT_SERVICE_CONNECTIONS}
    assert auditing.steps == [names.START_ALONE]


def test_every_episode_decides_the_same_again() -> None:
    """With retries, pauses and turns: replayed from its history, it gives byte for byte the same answer."""
    auditing = Auditing(3).says(names.AUDIT_PROJECT, BUSY, read(pause=30.0), REFUSED, read())
    for request, response in auditing.run().episodes:
        assert replay(AUDIT, request).SerializeToString() == response
