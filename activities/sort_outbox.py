"""Step sort_outbox: what waits is made into one mail for each person."""

import asyncio

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Parcel, Sorted, Sorting

MOST = 500
"""Parcels in one answer, which the task hub keeps; what is cut off is found again."""


@blueprint.activity_trigger(input_name="payload", activity=names.SORT_OUTBOX)
async def sort_outbox_step(payload: dict) -> dict:
    """Say what can be sent."""
    return await run_unrecorded(names.SORT_OUTBOX, Sorting, sort, payload)


async def sort(desk: Desk, sorting: Sorting) -> Sorted:
    """Return what can be sent; digests are kept first, so that each stays what it is until it is out."""
    from rekey.notices.folding import folded
    from rekey.notices.outbox import DIGEST, Outbox, Waiting
    from rekey.notices.sorting import sorted_out

    outbox = Outbox(desk.clients.container())
    made = await outbox.made()
    plan = sorted_out(await outbox.pending() if sorting.fold else (), made)

    async def fold(recipient: str, news: tuple[Waiting, ...]) -> Parcel:
        folds = tuple(waiting.id for waiting in news)
        return Parcel(await outbox.put(folded(recipient, news), DIGEST, folds), (recipient,))

    new = await asyncio.gather(*(fold(*one) for one in plan.folds))
    return Sorted((*plan.made, *plan.singles, *new)[:MOST])
