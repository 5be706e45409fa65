"""A secret whose consumers need no key: nothing is made, it is told once, and what leaked goes all the same."""

from typing import Any

import pytest

from rekey import names
from rekey.model import ConsumerResult, Ok, encode
from tests.orchestrators.scripts import BUSY, FEDERATED, OWNER, REFUSED, World

LOOKED = ["read_policy", "open_record", "preflight"]
STOPPED = ["notify_owners nothing-left", "close_record"]
NEEDS_NONE = Ok(encode(ConsumerResult(uri="toy://place/0", keyless=FEDERATED)))


def told(world: World, kind: str) -> dict[str, Any]:
    """Return what the one notice of that kind says, and to whom."""
    (found,) = (call.payload for call in world.engine.calls if call.what == f"notify_owners {kind}")
    assert isinstance(found, dict)
    return found


def switched(world: World) -> list[str]:
    """Return the consumers that were given the new value, in order."""
    return [call.payload["target"]["uri"] for call in world.engine.calls if call.name == names.UPDATE_CONSUMER]


@pytest.mark.parametrize("reason", ["event", "schedule", "manual"])
def test_secret_that_nobody_needs_is_not_rotated(reason: str) -> None:
    """Nothing is made or announced: why is told, once for the version, and the record ends with it."""
    world = World(consumers=2, keyless=2, reason=reason)
    instance = world.run()
    assert world.steps == [*LOOKED, *STOPPED]
    assert instance.output["result"] == "nothing-left"
    assert instance.output["needs_no_key"] == {f"toy://place/{n}": FEDERATED for n in range(2)}
    assert world.engine.calls[-1].payload["result"] == "nothing-left"
    telling = told(world, "nothing-left")
    assert (telling["owners"], telling["once"]) == ([OWNER], "nothing-left kv-shop deploy version-1")
    assert [c["keyless"] for c in telling["notice"]["consumers"]] == [FEDERATED, FEDERATED]
    assert telling["notice"]["old_valid_until"]
    assert instance.statuses[-1]["state"] == "nothing-left"


def test_secret_without_consumers_is_rotated() -> None:
    """Nobody is known to need it, which isn't that nobody does."""
    assert World(consumers=0).run().output["result"] == "done"


def test_gate_stands_in_nobodys_way_who_makes_nothing() -> None:
    """A policy that asks for an approval has nothing to approve here."""
    world = World(keyless=1)
    world.policy = world.policy.__replace__(approval=True)
    assert world.run().output["result"] == "nothing-left"


def test_leaked_password_goes_without_a_successor() -> None:
    """After a leak the password is retired although nobody needs a new one, and that is told each time."""
    world = World(keyless=1, reason="leak")
    assert world.run().output["result"] == "nothing-left"
    assert world.steps == [*LOOKED, "retire_old_credential", *STOPPED]
    telling = told(world, "nothing-left")
    assert not telling.get("once")
    assert not telling["notice"].get("old_valid_until")


def test_leaked_password_is_retired_until_that_succeeds() -> None:
    """An issuer that refuses is told and asked again: a leaked password that works is no end."""
    world = World(keyless=1, reason="leak").says(names.RETIRE_OLD_CREDENTIAL, REFUSED, BUSY)
    assert world.run().output["result"] == "nothing-left"
    assert world.steps.count("retire_old_credential") == 3
    assert told(world, "needs-you")["notice"]["code"] == "forbidden"


def test_one_that_needs_no_key_is_skipped() -> None:
    """The others get the new value; the one that needs none is asked once more, right before the old one goes."""
    world = World(consumers=2, keyless=1).says(names.UPDATE_CONSUMER, Ok("toy://place/1"), NEEDS_NONE)
    assert world.run().output["result"] == "done"
    assert switched(world) == ["toy://place/1", "toy://place/0"]
    again = world.steps.index("update_consumer", world.steps.index("update_consumer") + 1)
    assert world.steps[again - 1 : again + 2] == [
        names.CHECK_OLD_CREDENTIAL_USE,
        "update_consumer",
        "retire_old_credential",
    ]
    for kind in ("starting", "switched", "done"):
        assert told(world, kind)["notice"]["consumers"][0]["keyless"] == FEDERATED


def test_one_that_is_back_on_a_key_gets_the_new_one_in_time() -> None:
    """A conversion that was taken back during the grace breaks nothing: it has the new key before the old one goes."""
    world = World(consumers=2, keyless=1)
    assert world.run().output["result"] == "done"
    assert world.steps[-5:-2] == ["update_consumer", "confirm_consumer", "retire_old_credential"]
    assert told(world, "done")["notice"]["consumers"][0]["confirmed_by"] == "a sign-in"


def test_one_that_needs_no_key_meanwhile_is_no_failure() -> None:
    """It was converted between preflight and update: nothing is written to it or confirmed, and the walk goes on."""
    world = World().says(names.UPDATE_CONSUMER, NEEDS_NONE)
    assert world.run().output["result"] == "done"
    assert names.CONFIRM_CONSUMER not in world.steps
    assert told(world, "done")["notice"]["consumers"][0]["keyless"] == FEDERATED
