"""Step purge_instances: instances that ended before the retention go, unless their record is still open."""

from datetime import UTC, datetime, timedelta

import azure.durable_functions as df

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.purge import Purge, Purged

BATCH = 200
"""Instances purged by one activity: three questions each."""


@blueprint.activity_trigger(input_name="payload", activity=names.PURGE_INSTANCES)
@blueprint.durable_client_input(client_name="client")
async def purge_instances_step(payload: dict, client: df.DurableFunctionsClient) -> dict:
    """Purge one batch."""
    return await run_unrecorded(names.PURGE_INSTANCES, Purge, lambda desk, asked: purge(desk, client, asked), payload)


async def purge(desk: Desk, engine: df.DurableFunctionsClient, asked: Purge) -> Purged:
    """Purge up to BATCH instances by id, each looked at once more right before: one may have been restarted."""
    before = asked.started - timedelta(days=desk.settings.nightly.history_days)
    opened = {names.instance_id(s.vault, s.secret) for s in await desk.records().listing("open")}
    opened |= {one.federation.instance for one in await desk.federations().all() if one.state == "open"}
    ended = await _ended(engine, before)
    # A sub-orchestration is called like its parent, with a colon and its number.
    doomed = [instance for instance in ended if instance.partition(":")[0] not in opened]
    gone = 0
    for instance in doomed[:BATCH]:
        gone += await _purged(engine, instance, before)
    return Purged(purged=gone, kept=len(ended) - len(doomed), more=len(doomed) > BATCH)


async def _ended(engine: df.DurableFunctionsClient, before: datetime) -> list[str]:
    from durabletask.client import OrchestrationQuery, OrchestrationStatus

    # The engine's own filter knows when an instance was created; when it ended is judged here.
    ended = [OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED]
    query = OrchestrationQuery(created_time_to=before, runtime_status=ended, max_instance_count=PAGE)
    found = await engine.get_all_orchestration_states(query)
    return sorted(state.instance_id for state in found if _utc(state.last_updated_at) < before)


PAGE = 1000
"""Instances that the engine tells at a time."""

_ENDED = frozenset({"COMPLETED", "FAILED", "TERMINATED"})


async def _purged(engine: df.DurableFunctionsClient, instance: str, before: datetime) -> int:
    state = await engine.get_orchestration_state(instance, fetch_payloads=False)
    if state is None or state.runtime_status.name not in _ENDED or _utc(state.last_updated_at) >= before:
        return 0
    # Not recursive: children are listed as well, and are judged by themselves.
    return (await engine.purge_orchestration(instance, recursive=False)).deleted_instance_count


def _utc(moment: datetime) -> datetime:
    # durabletask gives protobuf's ToDatetime(): UTC, and without saying so.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
