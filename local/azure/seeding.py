"""Knows in which order a seed document is taken in, and what is told about the result."""

import inspect
from typing import Any

from local.azure.cloud import Cloud
from local.azure.wire import TellsSeeded

_PARTS = frozenset(
    {
        "applications",
        "audit",
        "canary",
        "events",
        "identities",
        "mail",
        "organizations",
        "policy",
        "role_assignments",
        "sites",
        "storage_accounts",
        "tenant",
        "users",
        "vaults",
        "workflows",
    }
)


async def seed(cloud: Cloud, document: Any) -> dict[str, Any]:
    """Take a whole seed document in; a ValueError names the field, its value and what was expected."""
    if not isinstance(document, dict):
        raise ValueError(f"seed document: expected an object, got {type(document).__name__}")  # noqa: TRY004
    unknown = sorted(set(document) - _PARTS)
    if unknown:
        raise ValueError(f"seed document: unknown fields {unknown}, expected some of {sorted(_PARTS)}")
    if "canary" in document:
        cloud.set_canary(document["canary"])
    for service in cloud.services.values():
        service.seed(document)
    told: dict[str, Any] = {"canary": cloud.canary, "tenant": cloud.tenant}
    for service in cloud.services.values():
        if isinstance(service, TellsSeeded):
            part = service.seeded()
            told |= await part if inspect.isawaitable(part) else part
    return told
