"""Two versions of an orchestrator side by side: each instance walks the one it was started with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from durabletask.task import OrchestrationContext

from orchestrators.attempts import Steps
from rekey import names
from tests.histories.recorded import FOLDER, History, read
from tests.histories.replaying import differences, registered
from tests.histories.virtual import history_of
from tests.orchestrators.engine import Engine
from tests.orchestrators.scripts import INSTANCE, World

NEW_STEP = "say_hello"
rotate_secret: Callable[[Any, Any], Steps[Any]] = registered()[names.ROTATE_SECRET]


def branching(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Take one step more, unless the instance was started before there was one."""
    if context.version not in {None, "1.0"}:
        yield context.call_activity(NEW_STEP, input={})
    return (yield from rotate_secret(context, payload))


def careless(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Take one step more, whoever comes."""
    yield context.call_activity(NEW_STEP, input={})
    return (yield from rotate_secret(context, payload))


def _present(rotate: Any) -> dict[str, Any]:
    return {**registered(), names.ROTATE_SECRET: rotate}


def _recorded(rotate: Any, version: str) -> History:
    world = World()
    world.engine = Engine(_present(rotate), world._activity)
    world.engine.version = version
    return history_of(f"new-{version}", world.run(INSTANCE))


@pytest.mark.parametrize("path", sorted((FOLDER / "v1").glob("*.json")), ids=lambda path: path.stem)
def test_an_orchestrator_that_branches_on_the_version_replays_the_old_histories(path: Path) -> None:
    """An instance that was started with 1.0 is 1.0 for ever: what was recorded of it replays."""
    assert list(differences(read(path), _present(branching))) == []


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_and_the_new_ones(version: str) -> None:
    """What is started with 2.0 takes the new step and replays with it; what is started with 1.0 doesn't."""
    history = _recorded(branching, version)
    first = history.episodes[0].decided[0].taskScheduled.name
    assert first == (NEW_STEP if version == "2.0" else names.READ_POLICY)
    assert list(differences(history, _present(branching))) == []


def test_an_instance_without_a_version_is_of_the_first() -> None:
    """A child whose parent names no version may have none: whoever branches takes that for the oldest."""
    assert _recorded(branching, "").episodes[0].decided[0].taskScheduled.name == names.READ_POLICY


def test_without_the_branch_the_old_instances_break() -> None:
    """The same change for everybody fails the recorded histories."""
    (first, *_) = differences(read(FOLDER / "v1" / "done-one-consumer.json"), _present(careless))
    assert (
        first
        == f"v1/done-one-consumer, episode 1: expected taskScheduled 1 read_policy, got taskScheduled 1 {NEW_STEP}"
    )


def test_the_engine_itself_refuses_such_an_instance() -> None:
    """What would happen in Azure: the instance ends as failed, with the engine's verdict."""
    told = list(differences(read(FOLDER / "v1" / "done-one-consumer.json"), _present(careless)))
    assert any("FAILED NonDeterminismError" in difference for difference in told[1:])
