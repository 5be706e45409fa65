"""Step verify_credential: nobody is given a credential that hasn't worked several times in a row."""

import asyncio

from activities.blueprint import blueprint
from activities.new_value import new_value
from activities.step import Desk, run_step
from rekey import names
from rekey.model import Walk

IN_A_ROW = 2
APART = 1.0
"""Seconds between: replicas learn of a credential one by one, and one success may come from the only one that knows."""


@blueprint.activity_trigger(input_name="payload", activity=names.VERIFY_CREDENTIAL)
async def verify_credential_step(payload: dict) -> dict:
    """Use the new credential for real until it works reliably."""
    return await run_step(names.VERIFY_CREDENTIAL, verify, payload)


async def verify(desk: Desk, walk: Walk) -> None:
    """Sign in a few times; the first refusal ends the attempt and the row starts again with the next."""
    value = await new_value(desk, walk)
    kind = desk.credential_kind(walk)
    for number in range(IN_A_ROW):
        await asyncio.sleep(APART if number else 0)
        await kind.verify(walk.rotation, value)
