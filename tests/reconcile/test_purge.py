"""Which instances' history goes: what ended before the retention, on durabletask's own engine and client."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest
from durabletask.client import AsyncTaskHubGrpcClient, OrchestrationQuery
from durabletask.task import OrchestrationContext
from durabletask.testing import create_test_backend
from durabletask.worker import TaskHubGrpcWorker

from activities import purge_instances
from activities.close_record import close
from activities.open_record import open_record
from rekey.model import Walk
from rekey.model.purge import Purge, Purged
from tests.reconcile.nights import Nights

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LATER = timedelta(days=91)
"""Beyond the retention."""


def over(_context: OrchestrationContext, _payload: Any) -> str:
    """An orchestrator that ends at once."""
    return "done"


def parent(context: OrchestrationContext, _payload: Any) -> Any:
    """An orchestrator with a child."""
    yield context.call_sub_orchestrator(over, input=None)


def waiting(context: OrchestrationContext, _payload: Any) -> Any:
    """An orchestrator that waits for ever."""
    yield context.wait_for_external_event("never")


@pytest.fixture
async def engine() -> AsyncIterator[AsyncTaskHubGrpcClient]:
    """Run an engine with a worker, and return a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    backend, host = create_test_backend(port=port), f"localhost:{port}"
    with TaskHubGrpcWorker(host_address=host) as worker:
        for orchestrator in (over, parent, waiting):
            worker.add_orchestrator(orchestrator)
        worker.start()  # type: ignore[no-untyped-call]
        async with AsyncTaskHubGrpcClient(host_address=host) as client:
            yield client
    backend.stop()


async def purge(nights: Nights, engine: AsyncTaskHubGrpcClient, after: timedelta = LATER) -> Purged:
    """Purge, so much later by the orchestration's clock."""
    asked = Purge(started=datetime.now(UTC) + after)
    return await purge_instances.purge(nights.company.desk, cast("DurableFunctionsClient", engine), asked)


async def run(engine: AsyncTaskHubGrpcClient, orchestrator: Any, instance: str) -> None:
    """Run an instance to its end."""
    await engine.schedule_new_orchestration(orchestrator, instance_id=instance)
    await engine.wait_for_orchestration_completion(instance, timeout=30)


async def left(engine: AsyncTaskHubGrpcClient) -> set[str]:
    """Return the instances that the engine still knows, children as their parent's name and a colon."""
    found = await engine.get_all_orchestration_states(OrchestrationQuery())
    return {state.instance_id.partition(":")[0] + (":" if ":" in state.instance_id else "") for state in found}


async def test_what_ended_long_ago_goes_with_its_children(nights: Nights, engine: AsyncTaskHubGrpcClient) -> None:
    """Ended instances of any orchestrator are purged by age; what runs, and what ended lately, stays."""
    await run(engine, over, "reconcile")
    await run(engine, parent, nights.instance)
    await engine.schedule_new_orchestration(waiting, instance_id="rotate.kv.waiting")
    everything = await left(engine)
    assert f"{nights.instance}:" in everything
    assert await purge(nights, engine, timedelta(days=89)) == Purged()
    assert await left(engine) == everything
    assert await purge(nights, engine) == Purged(purged=3)
    assert await left(engine) == {"rotate.kv.waiting"}


async def test_history_of_an_open_record_stays(nights: Nights, engine: AsyncTaskHubGrpcClient) -> None:
    """A rotation's instance and its children are kept until the record is closed; the record stays for ever."""
    walk = Walk(rotation=await nights.company.rotation(str(uuid4())), result="failed")
    await open_record(nights.company.desk, walk)
    await run(engine, parent, nights.instance)
    assert await purge(nights, engine) == Purged(kept=2)
    await close(nights.company.desk, walk)
    assert await purge(nights, engine) == Purged(purged=2)
    assert await nights.company.desk.records().read(walk.rotation.id) is not None


async def test_purging_goes_batch_by_batch(
    nights: Nights, engine: AsyncTaskHubGrpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One activity purges a batch and says that there is more."""
    monkeypatch.setattr(purge_instances, "BATCH", 2)
    await asyncio.gather(*(run(engine, over, f"i{number}") for number in range(3)))
    assert await purge(nights, engine) == Purged(purged=2, more=True)
    assert await purge(nights, engine) == Purged(purged=1)
