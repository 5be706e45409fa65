"""Histories replay to the same decisions, and code that decides otherwise is caught."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb

from orchestrators import attempts, grace
from rekey import names
from rekey.model import Permanent
from tests.orchestrators.engine import replay
from tests.orchestrators.scripts import BUSY, ORCHESTRATORS, REFUSED, World

WORLDS: dict[str, Callable[[], World]] = {
    "well": lambda: World(consumers=3),
    "busy": lambda: World().says(names.GENERATE_CREDENTIAL, BUSY, BUSY).says(names.NOTIFY_OWNERS, REFUSED),
    "undone": lambda: World().says(names.VERIFY_CREDENTIAL, REFUSED),
    "superseded": lambda: World().says(names.SET_SECRET_VERSION, Permanent("superseded", "x")),
    "needs-you": lambda: World(consumers=2).says(names.UPDATE_CONSUMER, REFUSED, REFUSED, REFUSED),
    "leak": lambda: World(reason="leak"),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_episode_decides_the_same_again(name: str) -> None:
    """Whatever was recorded of a rotation, running it again from its history gives byte for byte the same answer."""
    world = WORLDS[name]()
    world.run()
    assert len(world.engine.instances) >= 1
    for instance in world.engine.instances.values():
        for request, response in instance.episodes:
            assert replay(ORCHESTRATORS[instance.name], request).SerializeToString() == response


def test_other_first_step_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that asks for another step than the history says fails as non-deterministic."""
    world = World()
    instance = world.run()
    monkeypatch.setattr(names, "PREFLIGHT", "another_step")
    assert "NonDeterminism" in _failure(instance.episodes[-1][0])


def test_another_number_of_waits_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that no longer waits where the history has a timer fails as non-deterministic."""
    world = World()
    instance = world.run()

    def no_grace(_grace: object, _walk: object, _until: object) -> Iterator[Any]:
        yield from ()

    monkeypatch.setattr(grace.Grace, "pass_by", no_grace)
    assert "NonDeterminism" in _failure(instance.episodes[-1][0])


def test_longer_pauses_do_not_disturb_running_rotations(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long is waited may change with a release: the history's own times count."""
    world = World().says(names.PREFLIGHT, BUSY, BUSY)
    instance = world.run()
    monkeypatch.setattr(attempts, "FIRST_PAUSE", 3.0)
    response = replay(ORCHESTRATORS[instance.name], instance.episodes[-1][0])
    assert [a.completeOrchestration.orchestrationStatus for a in response.actions] == [
        pb.ORCHESTRATION_STATUS_COMPLETED
    ]


def _failure(request: bytes) -> str:
    response = replay(ORCHESTRATORS[names.ROTATE_SECRET], request)
    (action,) = response.actions
    assert action.completeOrchestration.orchestrationStatus == pb.ORCHESTRATION_STATUS_FAILED
    return f"{action.completeOrchestration.failureDetails.errorType}"
