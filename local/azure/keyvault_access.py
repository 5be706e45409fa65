"""Knows who may do what in a simulated vault, how often, and how Key Vault says no to either."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from local.azure.keyvault_bodies import error
from local.azure.keyvault_state import Vault
from local.azure.wire import Caller, ServiceError

_DATA_ACTIONS = {
    "get": "getSecret/action",
    "list": "readMetadata/action",
    "set": "setSecret/action",
    "update": "update/action",
    "delete": "delete",
    "recover": "recover/action",
    "purge": "purge/action",
}
OPERATIONS = frozenset(_DATA_ACTIONS)

ROLES = {
    "Key Vault Secrets Officer": OPERATIONS,
    "Key Vault Secrets User": frozenset({"get", "list"}),
    "Key Vault Reader": frozenset({"list"}),
}

WINDOW_SECONDS = 10.0
CREATIONS_PER_WINDOW = 300
OTHERS_PER_WINDOW = 4_000


def check_role(vault: Vault, caller: Caller, operation: str, path: str) -> None:
    """Raise the 403 ForbiddenByRbac unless the caller's roles in this vault include the operation."""
    if operation not in vault.roles.get(caller.object_id, frozenset()):
        raise error(403, "Forbidden", _denial(vault, caller, operation, path), "ForbiddenByRbac")


def _denial(vault: Vault, caller: Caller, operation: str, path: str) -> str:
    """Return the service's text, as reported in Azure/azure-sdk issues: carriage returns, lower-case resource."""
    return "\r\n".join(
        (
            "Caller is not authorized to perform action on resource.",
            (
                "If role assignments, deny assignments or role definitions were changed recently, "
                "please observe propagation time."
            ),
            f"Caller: appid={caller.client_id};oid={caller.object_id};iss=https://sts.windows.net/{caller.tenant}/",
            f"Action: 'Microsoft.KeyVault/vaults/secrets/{_DATA_ACTIONS[operation]}'",
            f"Resource: '{(vault.arm_id + path).lower()}'",
            "Assignment: (not found)",
            "DenyAssignmentId: null",
            "DecisionReason: 'DeniedWithNoValidRBAC' ",
            f"Vault: {vault.name};location=westeurope",
            "",
        )
    )


def throttled(reason: str, retry_after: int | None = None) -> ServiceError:
    """Return the service's 429; recorded ones have no Retry-After, so there is one only where it is asked for."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    message = f"Request was not processed because too many requests were received. Reason: {reason}"
    return error(429, "Throttled", message, headers=headers)


@dataclass
class Throttle:
    """Counts a vault's requests of the last window of the machine's clock; refused ones don't count."""

    limit: Callable[[int, float], tuple[int, float]]
    """Turns a documented limit (how many, in how many seconds) into the one that applies now."""
    now: Callable[[], float] = time.monotonic
    _creations: dict[str, deque[float]] = field(default_factory=dict)
    _others: dict[str, deque[float]] = field(default_factory=dict)

    def count(self, vault: str, *, creation: bool) -> None:
        """Count one request, or raise the 429."""
        table = self._creations if creation else self._others
        most, seconds = self.limit(CREATIONS_PER_WINDOW if creation else OTHERS_PER_WINDOW, WINDOW_SECONDS)
        window, now = table.setdefault(vault, deque()), self.now()
        while window and window[0] <= now - seconds:
            window.popleft()
        if len(window) >= most:
            raise throttled("VaultRequestTypeLimitReached" if creation else "VaultOperationLimitReached")
        window.append(now)
