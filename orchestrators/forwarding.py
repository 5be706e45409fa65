"""One at a time: an instance under any other id than the one that may do the work starts that one, and is over."""

from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from orchestrators.attempts import Steps, attempted
from rekey import names
from rekey.model import RotationRequest
from rekey.model.federation import FederationRequest, VendingRequest
from rekey.model.request import Alone


def rotation_forwarded(ctx: OrchestrationContext, request: RotationRequest) -> Steps[dict[str, Any] | None]:
    """Return what this instance ends with if another one rotates that secret, None if this is the one."""
    instance = names.instance_id(request.vault, request.secret)
    return (yield from _unless(ctx, instance, names.START_ROTATION, request))


def federation_forwarded(ctx: OrchestrationContext, request: FederationRequest) -> Steps[dict[str, Any] | None]:
    """Return what this instance ends with if another one federates that connection, None if this is the one."""
    instance = names.federation_instance(request.organization, request.project, request.connection)
    return (yield from _unless(ctx, instance, names.START_FEDERATION, request))


def vending_forwarded(ctx: OrchestrationContext, request: VendingRequest) -> Steps[dict[str, Any] | None]:
    """Return what this instance ends with if another one makes that connection, None if this is the one."""
    instance = names.federation_instance(request.organization, request.project, request.name)
    return (yield from _unless(ctx, instance, names.START_VENDING, request))


def alone_forwarded(ctx: OrchestrationContext, orchestrator: str) -> Steps[dict[str, Any] | None]:
    """Return what this instance ends with if it isn't the orchestrator's one instance, None if it is."""
    return (yield from _unless(ctx, orchestrator, names.START_ALONE, Alone(orchestrator)))


def _unless(
    ctx: OrchestrationContext, instance: str, step: str, payload: msgspec.Struct
) -> Steps[dict[str, Any] | None]:
    if ctx.instance_id == instance:
        return None
    yield from attempted(ctx, step, payload)
    return {"result": "forwarded", "instance": instance}
