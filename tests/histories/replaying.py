"""Knows what has to stay the same when a recorded history meets the present orchestrators: what the engine compares."""

import importlib
import itertools
import json
import pkgutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb

from tests.histories.recorded import Episode, History, kind
from tests.orchestrators.engine import replay
from tests.triggers.durable import functions

type Orchestrators = Mapping[str, Any]
"""Orchestrator functions by the name they are registered under."""

_LAST = 2**32
"""The end has no task id of its own in a history (-1): it comes last."""


def registered(only: Collection[str] | None = None) -> dict[str, Any]:
    """Return every orchestrator that a module of `orchestrators` registers, or one of those that are named."""
    package = importlib.import_module("orchestrators")
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if only is None or m.name in only]
    modules = [importlib.import_module(f"orchestrators.{name}") for name in names]
    built = {n: f for m in modules if hasattr(m, "blueprint") for n, f in functions(m.blueprint).items()}
    users = {name: function.get_user_function() for name, function in built.items()}
    return {name: u.orchestrator_function for name, u in users.items() if hasattr(u, "orchestrator_function")}


def differences(history: History, orchestrators: Orchestrators, *, first: int = 1) -> Iterator[str]:
    """Replay every episode from the `first` on after all that was before it, as a live instance meets it when upgraded.

    Each difference names history, episode (counted from 1), what the history has and what the orchestrator wants.
    """
    orchestrator = orchestrators.get(history.orchestrator)
    if orchestrator is None:
        yield f"{history.name}: no orchestrator is called {history.orchestrator} any more"
        return
    every = enumerate(zip(history.episodes, history.requests, strict=True), start=1)
    for number, (episode, request) in itertools.islice(every, first - 1, None):
        where = f"{history.name}, episode {number}"
        answers = [replay(orchestrator, request) for _ in range(2)]
        wanted, found = expected(episode), decisions(answers[0])
        if wanted != found:
            yield f"{where}: expected {_told(wanted)}, got {_told(found)}"
        elif answers[0] != answers[1]:
            yield f"{where}: expected the same again, got something else for {_told(found)}: a clock or chance"
        elif episode.step and episode.step != step_of(answers[0]):
            yield f"{where}: expected the custom status at {episode.step}, got {step_of(answers[0]) or 'none'}"


def expected(episode: Episode) -> list[str]:
    """Return what the history says was decided, a line each, by task id."""
    return _lines(episode.decided)


def decisions(response: pb.OrchestratorResponse) -> list[str]:
    """Return what an orchestrator decides, a line each, by task id."""
    return _lines(stored(action) for action in response.actions)


def stored(action: pb.OrchestratorAction) -> pb.HistoryEvent:
    """Return the event that the engine writes down for an action."""
    which = action.WhichOneof("orchestratorActionType") or ""
    body = getattr(action, which)
    if which == "scheduleTask":
        return helpers.new_task_scheduled_event(action.id, body.name)
    if which == "createTimer":
        return helpers.new_timer_created_event(action.id, body.fireAt.ToDatetime())
    if which == "createSubOrchestration":
        return helpers.new_sub_orchestration_created_event(action.id, body.name, body.instanceId)
    if which == "completeOrchestration":
        result = body.result.value if body.HasField("result") else None
        failure = body.failureDetails if body.HasField("failureDetails") else None
        return helpers.new_execution_completed_event(body.orchestrationStatus, result, failure)
    raise AssertionError(f"recorded histories have no {which} yet: say here which event the engine writes for it")


def step_of(response: pb.OrchestratorResponse) -> str:
    """Return the step that the custom status names; empty if it names none."""
    status = _payload(response.customStatus.value)
    return str(status.get("step", "")) if isinstance(status, dict) else ""


def _lines(events: Iterable[pb.HistoryEvent]) -> list[str]:
    return [_line(event) for event in sorted(events, key=lambda event: event.eventId % _LAST)]


def _line(event: pb.HistoryEvent) -> str:
    """Say what the engine compares: kind, task id, name; of the end, its kind, result and the error's type.

    When a timer fires, what a step is given and what a message says may change while instances are in flight.
    """
    which = kind(event)
    body = getattr(event, which)
    if which != "executionCompleted":
        return f"{which} {event.eventId} {getattr(body, 'name', '')}".rstrip()
    ended = pb.OrchestrationStatus.Name(body.orchestrationStatus).removeprefix("ORCHESTRATION_STATUS_")
    return f"{ended} {_error(body.failureDetails) or _result(body.result.value)}".rstrip()


def _error(failure: pb.TaskFailureDetails) -> str:
    """Return the error's type; what a step said of its failure may be worded anew, the engine's verdict is told."""
    error = failure.errorType.rpartition(".")[2]
    return f"{error} ({failure.errorMessage})" if error == "NonDeterminismError" else error


def _result(encoded: str) -> str:
    output = _payload(encoded)
    return str(output.get("result", "")) if isinstance(output, dict) else ""


def _payload(encoded: str) -> Any:
    return json.loads(encoded) if encoded else None


def _told(lines: list[str]) -> str:
    return ", ".join(lines) or "nothing"
