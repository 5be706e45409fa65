"""Starts a rotation under its one instance id, whoever asks and however often."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from rekey import names
from rekey.model import RotationRequest, encode

BUSY = frozenset({"RUNNING", "PENDING", "SUSPENDED", "CONTINUED_AS_NEW"})


class DurableClient(Protocol):
    """What is used of the durable client binding; the SDK names an argument `input`."""

    @property
    def get_orchestration_state(self) -> Callable[..., Awaitable[Any]]:
        """Return the instance's state, None if there is none."""
        ...

    @property
    def schedule_new_orchestration(self) -> Callable[..., Awaitable[str]]:
        """Start an instance; fails if one of that id is running."""
        ...


async def start_rotation(client: DurableClient, request: RotationRequest) -> tuple[str, bool]:
    """Start the rotation unless it is running; return its instance id and whether it was started just now."""
    instance = names.instance_id(request.vault, request.secret)
    if await is_busy(client, instance):
        return instance, False
    try:
        await client.schedule_new_orchestration(names.ROTATE_SECRET, input=encode(request), instance_id=instance)
    except Exception:
        # The engine has no error of its own for "is running": another caller may have been a moment faster.
        if await is_busy(client, instance):
            return instance, False
        raise
    return instance, True


async def is_busy(client: DurableClient, instance: str) -> bool:
    """Tell whether the instance is running, pending or suspended."""
    state = await client.get_orchestration_state(instance, fetch_payloads=False)
    return state is not None and state.runtime_status.name in BUSY
