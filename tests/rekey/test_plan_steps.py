"""A plan names the steps that a rotation walks, whatever its kinds are."""

from datetime import timedelta

import msgspec
import pytest

from rekey import names, registry
from rekey.model import Facts, Rotation, When, decode
from rekey.plan_steps import Walkthrough
from tests.orchestrators.engine import BEGIN
from tests.orchestrators.scripts import World
from tests.rekey import toys


@pytest.fixture(autouse=True)
def toy_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know the toys that scripted rotations are about."""
    toys.install(monkeypatch)
    monkeypatch.setattr(registry, "CONSUMER_KINDS", {"toy": "tests.rekey.toys:ToyConnection"})


def _walked(world: World) -> tuple[Rotation, Facts]:
    """Run a rotation and return it with what its preflight found."""
    world.run()
    (preflight,) = (call for call in world.engine.calls if call.name == names.PREFLIGHT)
    return decode(preflight.payload["rotation"], Rotation), decode(preflight.outcome["value"], Facts)


def test_people_come_last_and_try_outs_after_what_they_try() -> None:
    """However the tags order them, the plan has the order in which the consumers get their turn."""
    world = World(whens=(When.BY_HAND, When.AFTER_OTHERS, When.WITH_OTHERS), acknowledged_after=timedelta(days=1))
    rotation, facts = _walked(world)
    planned = Walkthrough(rotation, facts, BEGIN, toys.settings()).steps()
    walked = [call.name for call in world.engine.calls]
    assert [step.step for step in planned if step.step != names.GRACE] == walked
    assert names.READ_DECISIONS in walked


def test_key_in_turn_is_neither_labelled_nor_staged() -> None:
    """A plan for a kind that makes one of a fixed number of keys anew says which, and touches no staging vault."""
    rotation, facts = _walked(World())
    in_turn = msgspec.structs.replace(facts, next_key_id="key2@2030-01-01")
    steps = list(Walkthrough(rotation, in_turn, BEGIN, toys.settings()).steps())
    touched = [touch for step in steps for touch in step.touches]
    assert any("key2@2030-01-01" in touch.change for touch in touched)
    assert not any("staged" in touch.id or "label" in touch.change for touch in touched)


@pytest.mark.parametrize("reason", ["manual", "leak"])
def test_nothing_is_planned_where_nothing_is_left(reason: str) -> None:
    """A plan for a secret that nobody needs ends where its rotation does; what leaked goes in both."""
    world = World(keyless=1, reason=reason)
    rotation, facts = _walked(world)
    planned = Walkthrough(rotation, facts, BEGIN, toys.settings()).steps()
    assert [step.step for step in planned] == [call.name for call in world.engine.calls]
