"""Turns what ran on the scripted engine into recorded histories."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from durabletask.internal import orchestrator_service_pb2 as pb

from tests.histories.chores import CHORES
from tests.histories.federations import FEDERATIONS
from tests.histories.nights import SWEEPS
from tests.histories.recorded import Episode, History
from tests.histories.replaying import expected, step_of, stored
from tests.histories.situations import ROTATIONS
from tests.orchestrators.engine import Instance

SOURCE = "scripted engine"
HOST = Path(__file__).parents[2] / "host.json"


def default_version() -> str:
    """Return the version that host.json gives to new instances."""
    settings: dict[str, Any] = json.loads(HOST.read_text(encoding="utf-8"))
    found: str = settings["extensions"]["durableTask"]["defaultVersion"]
    return found


def recordings(version: str) -> Iterator[History]:
    """Run every situation and return what its instances did; a child on a course that another one took is left out."""
    seen: set[str] = set()
    for name, situation in (ROTATIONS | FEDERATIONS | SWEEPS | CHORES).items():
        for number, instance in enumerate(situation(version).instances.values()):
            history = history_of(f"{name}.{number}" if number else name, instance)
            course = "\n".join([history.orchestrator, *(line for e in history.episodes for line in expected(e))])
            if not number or course not in seen:
                seen.add(course)
                yield history


def history_of(name: str, instance: Instance) -> History:
    """Return the history of an instance that ran on the scripted engine."""
    episodes = tuple(_episode(*pair) for pair in instance.episodes)
    return History(name, instance.name, instance.id, SOURCE, episodes)


def _episode(request: bytes, response: bytes) -> Episode:
    given = pb.OrchestratorRequest.FromString(request).newEvents
    answer = pb.OrchestratorResponse.FromString(response)
    return Episode(tuple(given), tuple(stored(action) for action in answer.actions), step_of(answer))
