"""A plan names the steps that a federation walks, whatever its way is."""

from datetime import timedelta

import pytest

from rekey import names
from rekey.federation.plan_steps import Walkthrough
from rekey.model import decode
from rekey.model.federation import Federation, Identity, Mode
from rekey.plan_steps import PlannedStep
from tests.orchestrators.federating import OWNER, SCOPE, Federating, managed

WAITS = {names.SOAK, names.APPROVAL}
WORLDS = {
    "in place": Federating(),
    "in place, trusted first": Federating(shows_issuer=True),
    "side by side": Federating(mode=Mode.SIDE_BY_SIDE),
    "with roles": managed(approved_after=timedelta(minutes=1)),
    "repair": Federating(mode=Mode.REPAIR),
}


def _said(step: PlannedStep) -> str:
    """Return a step as the walked ones are told: a notice by its stage."""
    told = step.does.removeprefix("Sends the notice ").removesuffix(".")
    return f"told {told}" if step.step == names.NOTIFY_OWNERS else step.step


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_planned_steps_are_those_that_are_walked(world: Federating) -> None:
    """In the orchestrator's order, the waits aside; everybody who would be told is named."""
    assert world.run().output["result"] == "done"
    read = next(call for call in world.engine.calls if call.name == names.OPEN_FEDERATION)
    walk, identity = decode(read.payload, Federation), Identity(client_id="app", object_id="object")
    planned = list(Walkthrough(walk, identity, (OWNER,), walk.started, (SCOPE,)).steps())
    assert [_said(step) for step in planned if step.step not in WAITS] == world.steps
    waits = [step.step for step in planned if step.step in WAITS]
    assert (names.APPROVAL in waits) == walk.grants_roles
    assert (names.SOAK in waits) == (walk.mode is not Mode.REPAIR)
    assert all(step.touches for step in planned if step.step == names.NOTIFY_OWNERS)
    assert all(step.permissions for step in planned if step.step not in WAITS)
    assert all(right.grant for step in planned for right in step.permissions)
