"""Step read_policy: is there anything to do for this secret, and what exactly."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Question, Reading


@blueprint.activity_trigger(input_name="payload", activity=names.READ_POLICY)
async def read_policy_step(payload: dict) -> dict:
    """Decide on the newest version alone, whatever the event said."""
    return await run_unrecorded(names.READ_POLICY, Question, read, payload)


async def read(desk: Desk, question: Question) -> Reading:
    """Return the rotation to walk, or why there is nothing to do, or what is wrong with the tags."""
    from rekey import reading

    return await reading.read(desk.clients, question)
