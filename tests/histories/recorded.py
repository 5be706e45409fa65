"""The form of a recorded history: JSON that people can read, one event of the durable engine on a line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import json_format  # type: ignore[import-untyped]

FOLDER = Path(__file__).parent
_PAYLOADS = ("input", "result")
_DECIDED = frozenset(
    {"taskScheduled", "timerCreated", "subOrchestrationInstanceCreated", "eventSent", "executionCompleted"}
)
_NOISE = frozenset({"orchestratorCompleted"})
"""The engine's own full stop, which no replay reads."""


@dataclass(frozen=True)
class Episode:
    """One turn: the events the orchestrator was given, and those the engine wrote down for what it decided."""

    given: tuple[pb.HistoryEvent, ...]
    decided: tuple[pb.HistoryEvent, ...]
    step: str = ""
    """The step that the custom status named afterwards; empty if it isn't known."""

    @property
    def begins(self) -> bool:
        """Tell whether an execution starts here: the first one, or another after continue-as-new."""
        return any(event.HasField("executionStarted") for event in self.given)


@dataclass(frozen=True)
class History:
    """One orchestration instance, from its start to its end."""

    name: str
    orchestrator: str
    instance: str
    source: str
    episodes: tuple[Episode, ...]

    @cached_property
    def requests(self) -> tuple[bytes, ...]:
        """What the engine sends for each episode: all that was before, then what is new."""
        return tuple(self._requests())

    def _requests(self) -> Iterator[bytes]:
        past: list[pb.HistoryEvent] = []
        for episode in self.episodes:
            if episode.begins:
                past = []
            request = pb.OrchestratorRequest(instanceId=self.instance, pastEvents=past, newEvents=episode.given)
            yield request.SerializeToString()
            past += [*episode.given, *episode.decided]

    @property
    def text(self) -> str:
        """The content of its file."""
        head = {"orchestrator": self.orchestrator, "instance": self.instance, "source": self.source}
        lines = [f" {_json(key)}: {_json(value)},\n" for key, value in head.items()]
        return "".join(["{\n", *lines, ' "episodes": [\n', ",\n".join(map(_written, self.episodes)), "\n ]\n}\n"])


def folders() -> list[Path]:
    """Return the folders of recorded versions, the oldest first."""
    return sorted(FOLDER.glob("v[0-9]*"), key=lambda folder: int(folder.name.removeprefix("v")))


def read(path: Path) -> History:
    """Read one file; its name is the history's."""
    found = json.loads(path.read_text(encoding="utf-8"))
    episodes = tuple(
        Episode(_events(e["given"]), _events(e["decided"]), e.get("step", "")) for e in found.pop("episodes")
    )
    return History(name=f"{path.parent.name}/{path.stem}", episodes=episodes, **found)


def read_all() -> list[History]:
    """Read every recorded history of every version."""
    return [read(path) for folder in folders() for path in sorted(folder.glob("*.json"))]


def divided(events: Iterable[pb.HistoryEvent]) -> tuple[Episode, ...]:
    """Divide what an engine stores of one execution into the turns it took."""
    turns: list[list[pb.HistoryEvent]] = []
    for event in events:
        if event.HasField("orchestratorStarted"):
            turns.append([])
        turns[-1].append(event)
    return tuple(
        Episode(
            tuple(e for e in turn if kind(e) not in _DECIDED | _NOISE), tuple(e for e in turn if kind(e) in _DECIDED)
        )
        for turn in turns
    )


def kind(event: pb.HistoryEvent) -> str:
    """Return which kind of event it is, in the engine's word."""
    return event.WhichOneof("eventType") or ""


def parsed(event: Mapping[str, Any]) -> pb.HistoryEvent:
    """Return an event from its JSON; a payload may be unfolded."""
    (name,) = (key for key in event if key not in {"eventId", "timestamp"})
    body = {key: _folded(value) if key in _PAYLOADS else value for key, value in event[name].items()}
    found = pb.HistoryEvent()
    json_format.ParseDict({**event, name: body}, found)
    return found


def _events(listed: Iterable[Mapping[str, Any]]) -> tuple[pb.HistoryEvent, ...]:
    return tuple(parsed(event) for event in listed)


def _written(episode: Episode) -> str:
    parts = []
    for key, events in (("given", episode.given), ("decided", episode.decided)):
        lines = ",\n".join(f"    {_json(_unfolded(event))}" for event in events)
        parts.append(f'   "{key}": [\n{lines}\n   ]' if lines else f'   "{key}": []')
    if episode.step:
        parts.append(f'   "step": {_json(episode.step)}')
    return "  {\n" + ",\n".join(parts) + "\n  }"


def _unfolded(event: pb.HistoryEvent) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(event)
    body = found[kind(event)]
    if kind(event) in _DECIDED - {"executionCompleted"}:
        body.pop("input", None)  # what a step is given: the engine doesn't compare it, and results say it again
    for key in _PAYLOADS:
        if key in body:
            body[key] = _readable(body[key])
    _without_stack(body.get("failureDetails"))
    return found


def _without_stack(failure: dict[str, Any] | None) -> None:
    """Take out the stacks of a failure and of those inside it: their paths are those of one machine."""
    while failure is not None:
        failure.pop("stackTrace", None)
        failure = failure.get("innerFailure")


def _readable(payload: str) -> Any:
    """Return a payload as JSON if it can be put back together exactly; a string in the file is a payload as it is."""
    try:
        value = json.loads(payload)
    except ValueError:
        return payload
    return value if not isinstance(value, str) and json.dumps(value) == payload else payload


def _folded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
