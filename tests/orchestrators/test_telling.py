"""Which notices of a rotation can wait for the next digest, and which can't."""

from typing import Any

import msgspec

from rekey import names
from rekey.model import Ok, Outcome, Question, Reading, decode, encode
from tests.orchestrators.engine import BEGIN
from tests.orchestrators.scripts import REFUSED, World


def _told(world: World) -> list[tuple[str, bool]]:
    calls = [call.payload for call in world.engine.calls if call.name == names.NOTIFY_OWNERS]
    return [(payload["notice"]["kind"], payload["digest"]) for payload in calls]


def _one_of_many(world: World) -> World:
    """Let the rotation be one of many that the sweep started."""

    def judge(name: str, payload: Any) -> Outcome | None:
        if name != names.READ_POLICY:
            return None
        rotation = world._rotation(decode(payload, Question), BEGIN)
        return Ok(encode(Reading(rotation=msgspec.structs.replace(rotation, digest=True))))

    world.judge = judge
    return world


def test_one_of_many_tells_what_is_planned_in_the_next_digest() -> None:
    """Start, switch and end wait for the other rotations' news."""
    world = _one_of_many(World())
    assert world.run().output["result"] == "done"
    assert _told(world) == [("starting", True), ("switched", True), ("done", True)]


def test_one_of_many_tells_trouble_at_once() -> None:
    """A failure, and a rotation that waits for somebody, aren't left for later."""
    failing = _one_of_many(World()).says(names.GENERATE_CREDENTIAL, REFUSED)
    failing.run()
    assert _told(failing) == [("starting", True), ("failed", False)]
    stuck = _one_of_many(World()).says(names.RETIRE_OLD_CREDENTIAL, REFUSED)
    stuck.run()
    assert ("needs-you", False) in _told(stuck)


def test_a_rotation_by_itself_tells_at_once() -> None:
    """Without many others everything is told when it happens."""
    world = World()
    world.run()
    assert _told(world) == [("starting", False), ("switched", False), ("done", False)]
