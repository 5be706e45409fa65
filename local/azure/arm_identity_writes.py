"""Knows how often a managed identity and its federated credentials may be written, and that one write excludes others.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations: 0.25 requests a second for
each resource, creating and deleting apart; concurrent writes of federated credentials of one identity are denied.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from local.azure.arm_access import error
from local.azure.throttle import Windows

if TYPE_CHECKING:
    from local.azure.cloud import Cloud
    from local.azure.directory import Identity

_SECONDS = 4
_TAKES = 0.02


class Writes:
    """The writes of the last seconds, by resource, and the identities that one is under way on."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self._windows = Windows()
        self._under_way: set[str] = set()

    def take(self, resource: str, method: str) -> None:
        """Count a write of a resource (its ARM id); the 429 if it is too soon after the last one."""
        limit, seconds = self._cloud.switches.limit("arm", 1, _SECONDS)
        wait = self._windows.take(f"{method} {resource.lower()}", limit, seconds, self._cloud.clock.now())
        if wait is not None:
            message = f"The request is being throttled. Please try again after {wait} seconds."
            raise error(429, "TooManyRequests", message, {"Retry-After": str(wait)})

    @contextlib.asynccontextmanager
    async def alone(self, identity: "Identity") -> AsyncIterator[None]:
        """Write a federated credential of an identity, which takes a moment; another one meanwhile is the 409."""
        if identity.arm_id in self._under_way:
            raise error(
                409,
                "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
                "Too many Federated Identity Credentials are written concurrently for the managed identity "
                f"'{identity.arm_id}'. Concurrent Federated Identity Credentials writes under the same managed "
                "identity are not supported.",
            )
        self._under_way.add(identity.arm_id)
        try:
            await asyncio.sleep(_TAKES)
            yield
        finally:
            self._under_way.discard(identity.arm_id)
