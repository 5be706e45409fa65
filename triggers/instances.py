"""Asks the durable engine for instances as they may be shown, and tells one that there is something to read."""

import asyncio
import logging
from collections.abc import Iterable

from rekey import names
from rekey import operator_view as view
from rekey.starting import DurableClient

_log = logging.getLogger(__name__)

AT_ONCE = 16
"""Questions to the durable engine, for one listing."""


async def instance(client: DurableClient, instance_id: str) -> view.Instance | None:
    """Return an instance as it may be shown, None if there is none."""
    state = await client.get_orchestration_state(instance_id, fetch_payloads=True)
    return view.Instance.of(state) if state is not None else None


async def instances(client: DurableClient, ids: Iterable[str]) -> dict[str, view.Instance | None]:
    """Return those instances by id."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def ask(instance_id: str) -> tuple[str, view.Instance | None]:
        async with limit:
            return instance_id, await instance(client, instance_id)

    return dict(await asyncio.gather(*map(ask, ids)))


async def tell(client: DurableClient, walking: view.Instance | None) -> bool:
    """Tell an instance, if it runs, that there is a decision; one that doesn't hear of it looks within a day."""
    if walking is None or not walking.is_busy:
        return False
    try:
        await client.raise_orchestration_event(walking.id, names.DECISION_EVENT)
    except Exception as error:  # noqa: BLE001 - the decision is on the record, whatever the engine says
        _log.warning("instance %s was not told of a decision (%s)", walking.id, type(error).__name__)
        return False
    return True
