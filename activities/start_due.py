"""Step start_due: one batch of a sweep's plan is started, each secret for itself, none of them twice."""

import asyncio
import functools
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Reason, RotationRequest
from rekey.model.sweep import Batch, Started
from rekey.starting import DurableClient, start_rotation

if TYPE_CHECKING:
    from rekey.sweep import Due

_log = logging.getLogger(__name__)

REQUESTED_BY = "nightly sweep"
STARTED, RUNNING, FAILED = "started", "running already", "failed"


@blueprint.activity_trigger(input_name="payload", activity=names.START_DUE)
@blueprint.durable_client_input(client_name="client")
async def start_due_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Start one batch."""
    return await run_unrecorded(names.START_DUE, Batch, functools.partial(start, client=client), payload)


async def start(desk: Desk, batch: Batch, client: DurableClient) -> Started:
    """Return how many were started; a failed start stops no other and is kept for the next round."""
    from rekey.notices.told import Told
    from rekey.sweep import NotStarted

    sweeps = desk.sweeps(batch.run_id)
    planned, following, digest = await sweeps.batch(batch.round, batch.number)
    what = await asyncio.gather(*(_one(client, due, batch.began, digest=digest) for due in planned.starts))
    became = list(zip(planned.starts, what, strict=True))
    missed = tuple(due for due, outcome in became if outcome == FAILED)
    if missed:
        await sweeps.keep_not_started(batch.round, batch.number, NotStarted(starts=missed))
    told = Told(desk.clients.container())
    for due, outcome in became:
        if due.once and outcome != FAILED:
            await told.first_time(due.once)
    counts = Counter(outcome for due, outcome in became if outcome != FAILED and not (due.once or due.quiet))
    return Started(counts=dict(counts), missed=len(missed), next=following)


async def _one(client: DurableClient, due: "Due", began: datetime, *, digest: bool) -> str:
    request = RotationRequest(
        vault=due.vault, secret=due.secret, reason=Reason.SCHEDULE, requested_by=REQUESTED_BY, digest=digest
    )
    try:
        if await _started_before(client, names.instance_id(due.vault, due.secret), began):
            return STARTED
        _, just_now = await start_rotation(client, request)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises may quote the input; the others go on
        _log.warning("%s/%s: starting the rotation failed (%s)", due.vault, due.secret, type(error).__name__)
        return FAILED
    return STARTED if just_now else RUNNING


async def _started_before(client: DurableClient, instance: str, began: datetime) -> bool:
    """Tell whether this sweep started it, in an attempt that died: it may be over by now, and isn't started again."""
    state = await client.get_orchestration_state(instance, fetch_payloads=False)
    return state is not None and state.created_at.replace(tzinfo=UTC) >= began
