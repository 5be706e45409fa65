"""Starts many instances at once, each with an outcome of its own; knows how a request says how many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from rekey.operator_requests import bad_input, shown
from rekey.starting import DurableClient, is_busy

AT_ONCE = 16
"""Questions to the durable engine."""


class Start(NamedTuple):
    """One instance, and what starts it: that tells its id, and whether it was started just now."""

    instance: str
    begin: Callable[[], Awaitable[tuple[str, bool]]]


async def outcomes(client: DurableClient, starts: Sequence[Start], *, dry_run: bool) -> list[str]:
    """Start them and return what became of each: started, running, not-started, would-start (a dry run)."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(start: Start) -> str:
        async with limit:
            return await _outcome(client, start, dry_run=dry_run)

    return list(await asyncio.gather(*map(one, starts)))


def read_limit(payload: dict[str, Any], most: int) -> int:
    """Return how many a body with a filter wants started; RefusedError."""
    expected = f"a whole number from 1 to {most}: at most so many are started"
    if "limit" not in payload:
        raise bad_input("limit", "missing", expected)
    limit = payload["limit"]
    if type(limit) is not int or not 1 <= limit <= most:
        raise bad_input("limit", f"got {shown(limit)}", expected)
    return limit


def read_flag(payload: dict[str, Any], field: str) -> bool | None:
    """Return a field that is true or false, None if it isn't there; RefusedError."""
    flag = payload.get(field)
    if field in payload and type(flag) is not bool:
        raise bad_input(field, f"got {shown(flag)}", "true or false")
    return flag


async def _outcome(client: DurableClient, start: Start, *, dry_run: bool) -> str:
    """One that can't be started doesn't stop the others: asking again starts it."""
    try:
        if dry_run:
            return "running" if await is_busy(client, start.instance) else "would-start"
        _, just_now = await start.begin()
    except Exception:  # noqa: BLE001 - the engine's errors have no common class, and may quote the input
        return "not-started"
    return "started" if just_now else "running"
