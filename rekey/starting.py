"""Starts a rotation, a federation, or what Rekey does on its own, under its one instance id, however often asked."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from rekey import names
from rekey.model import RotationRequest, encode
from rekey.model.federation_request import FederationRequest, VendingRequest

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

    @property
    def raise_orchestration_event(self) -> Callable[..., Awaitable[None]]:
        """Raise an event for an instance."""
        ...


async def start_rotation(client: DurableClient, request: RotationRequest) -> tuple[str, bool]:
    """Start the rotation unless it is running; return its instance id and whether it was started just now."""
    instance = names.instance_id(request.vault, request.secret)
    return instance, await _start(client, names.ROTATE_SECRET, instance, encode(request))


async def start_federation(client: DurableClient, request: FederationRequest) -> tuple[str, bool]:
    """Start leaving a connection without a secret, likewise."""
    instance = names.federation_instance(request.organization, request.project, request.connection)
    return instance, await _start(client, names.FEDERATE_SERVICE_CONNECTION, instance, encode(request))


async def start_vending(client: DurableClient, request: VendingRequest) -> tuple[str, bool]:
    """Start making a connection that never has a secret, likewise."""
    instance = names.federation_instance(request.organization, request.project, request.name)
    return instance, await _start(client, names.VEND_SERVICE_CONNECTION, instance, encode(request))


async def start_alone(client: DurableClient, orchestrator: str) -> bool:
    """Start an orchestrator that has one instance, named like itself; False if it is running."""
    return await _start(client, orchestrator, orchestrator, None)


async def _start(client: DurableClient, orchestrator: str, instance: str, given: Any) -> bool:
    if await is_busy(client, instance):
        return False
    try:
        await client.schedule_new_orchestration(orchestrator, input=given, instance_id=instance)
    except Exception:
        # The engine has no error of its own for "is running": another caller may have been a moment faster.
        if await is_busy(client, instance):
            return False
        raise
    return True


async def is_busy(client: DurableClient, instance: str) -> bool:
    """Tell whether the instance is running, pending or suspended."""
    state = await client.get_orchestration_state(instance, fetch_payloads=False)
    return state is not None and state.runtime_status.name in BUSY
