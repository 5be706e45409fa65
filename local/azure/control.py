"""Knows the control API from the other side: how a test or the demo, in another process, steers the simulated Azure."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class RefusedError(Exception):
    """The control API did not like what it was asked; its sentence says why."""


class Control:
    """A blocking client of `/_sim/*`; one connection per call, so that it can be used from any thread."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description
        """What `azure.json` says: port, urls, CA file, managed identity endpoint and header."""
        self._address = urlsplit(description["control"])
        self._context = ssl.create_default_context(cafile=description["ca"])

    @classmethod
    def of(cls, state_dir: Path) -> "Control":
        """Return the client of the simulated Azure that runs with this state directory."""
        return cls(json.loads((state_dir / "azure.json").read_text()))

    def seed(self, document: dict[str, Any]) -> dict[str, Any]:
        """Fill the cloud; returns ids, key ids, versions and urls of what was made."""
        return self._ask("POST", "/_sim/seed", document)

    def fault(self, service: str, **fields: Any) -> str:
        """Arm a fault (README.md tells the fields) and return its id."""
        return str(self._ask("POST", "/_sim/faults", {"service": service, **fields})["id"])

    def propagation(self, service: str, **fields: Any) -> None:
        """Set how long writes take to be seen everywhere: `entra` or `graph`, `seconds=...`."""
        self._ask("POST", "/_sim/faults", {"service": service, "propagation": fields})

    def limits(self, service: str, scale: float, seconds: float | None = None) -> None:
        """Multiply a service's documented limits, and let their windows have another length."""
        self._ask("POST", "/_sim/faults", {"service": service, "limits": {"scale": scale, "seconds": seconds}})

    def faults(self) -> list[dict[str, Any]]:
        """Return the armed faults with `hits` and `held`."""
        found: list[dict[str, Any]] = self._ask("GET", "/_sim/faults")["faults"]
        return found

    def release(self, fault_id: str) -> None:
        """Let go the requests that a fault holds."""
        self._ask("POST", f"/_sim/faults/{fault_id}/release")

    def clear_faults(self) -> None:
        """Disarm every fault, let go what is held, put delays and limits back to their defaults."""
        self._ask("DELETE", "/_sim/faults")

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the requests after number `since`."""
        found: list[dict[str, Any]] = self._ask("GET", f"/_sim/requests?since={since}")["requests"]
        return found

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        self._ask("DELETE", "/_sim/requests")

    def state(self) -> dict[str, Any]:
        """Return the state of every service by name, secret values included."""
        return self._ask("GET", "/_sim/state")

    def outbox(self) -> list[dict[str, Any]]:
        """Return the mails that were accepted."""
        mails: list[dict[str, Any]] = self._ask("GET", "/_sim/outbox")["mails"]
        return mails

    def raise_event(self, vault: str, secret: str, **event: str) -> None:
        """Have Event Grid send an event, whatever it sent before: `type`, `version` (default: near expiry, latest)."""
        self._ask("POST", "/_sim/events/raise", {"vault": vault, "secret": secret, **event})

    def record_access(self, vault: str, operation: str, **fields: Any) -> None:
        """Have a vault's audit log tell of something that nobody does here (keyvault_audit.py has the fields)."""
        self._ask("POST", "/_sim/audit/record", {"vault": vault, "operation": operation, **fields})

    def audit_waiting(self) -> int:
        """Return how many records of what happened haven't reached the vaults' audit logs."""
        return int(self._ask("GET", "/_sim/audit")["waiting"])

    def flush_audit(self) -> None:
        """Write what is late in the vaults' audit logs."""
        self._ask("POST", "/_sim/audit/flush")

    def now(self) -> str:
        """Return the simulated time (ISO 8601)."""
        return str(self._ask("GET", "/_sim/time")["now"])

    def advance(self, by: float | str) -> str:
        """Move the clock ahead by seconds or an ISO 8601 duration of days and smaller units; returns the new time."""
        return str(self._ask("POST", "/_sim/time", {"advance": by})["now"])

    def _ask(self, method: str, path: str, document: dict[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPSConnection(
            self._address.hostname or "", self._address.port, context=self._context, timeout=30
        )
        try:
            connection.request(method, path, json.dumps(document) if document is not None else None)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise RefusedError(str(answer.get("error", answer)))
        return answer
