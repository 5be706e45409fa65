"""Knows user-assigned managed identities and whose tokens they take for their own, as Azure Resource Manager has them.

https://learn.microsoft.com/rest/api/managedidentity. A federated credential is replaced by name, whatever it said
before; writes to one identity must come one after the other, else the service answers 409.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from rekey.arm_id import ArmId
from rekey.connections.found import FederatedCredential
from rekey.entra_federation import IDENTITIES as TYPE
from rekey.errors import NotYetError, PermanentError
from rekey.resource_manager import ResourceManager

if TYPE_CHECKING:
    from rekey.clients import Clients

API = "2023-01-31"
ROLE = "Managed Identity Contributor"
"""For making and deleting identities."""
CREDENTIALS = "Managed Identity Federated Identity Credential Contributor"
"""For reading an identity, and writing whom it trusts."""
READER = "Reader"
_WRITE = f"{TYPE}/federatedIdentityCredentials/write"
_CONFLICT_PAUSE = 5.0
"""Seconds; the service takes one write every four seconds from an identity."""


class ManagedIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A user-assigned managed identity; `principal_id` is its service principal's object id."""

    arm_id: str
    client_id: str
    principal_id: str
    tenant: str
    tags: dict[str, str] = {}


class ManagedIdentities:
    """The identities below ARM ids that settings allow: whoever calls has checked that."""

    def __init__(self, clients: "Clients") -> None:
        self._arm = ResourceManager(clients)

    async def get(self, arm_id: str) -> ManagedIdentity | None:
        """Return an identity, None if there is none."""
        try:
            return _identity((await self._arm.get(arm_id, API, role=CREDENTIALS)).body, arm_id)
        except PermanentError as error:
            if error.code != "not-found":
                raise
            return None

    async def put(self, arm_id: str, location: str, tags: dict[str, str]) -> ManagedIdentity:
        """Make an identity, or write the same one again."""
        answer = await self._arm.write("PUT", arm_id, API, {"location": location, "tags": tags}, role=ROLE)
        return _identity(answer.body, arm_id)

    async def remove(self, arm_id: str) -> None:
        """Delete an identity with its federated credentials; one that is gone is no error."""
        await self._removed(arm_id, ROLE)

    async def may_write_credentials(self, arm_id: str) -> bool:
        """Tell whether the app's identity may say whom that identity trusts."""
        return not await self._arm.may(arm_id, [_WRITE], role=CREDENTIALS)

    async def credentials(self, arm_id: str, *, role: str = CREDENTIALS) -> tuple[FederatedCredential, ...]:
        """Return whom an identity trusts; `role` is what a 403 says is missing."""
        found = await self._arm.listed(f"{arm_id}/federatedIdentityCredentials", API, role=role)
        return tuple(_credential(one) for one in found)

    async def put_credential(self, arm_id: str, wanted: FederatedCredential) -> None:
        """Make the federated credential of that name, or change it; NotYetError while another is being written."""
        said = {"issuer": wanted.issuer, "subject": wanted.subject, "audiences": list(wanted.audiences)}
        path = f"{arm_id}/federatedIdentityCredentials/{wanted.name}"
        try:
            await self._arm.write("PUT", path, API, {"properties": said}, role=CREDENTIALS)
        except NotYetError as error:
            if error.code == "conflict" and error.seconds is None:
                error.seconds = _CONFLICT_PAUSE
            raise

    async def remove_credential(self, arm_id: str, name: str) -> None:
        """Remove the federated credential of that name; one that is gone is no error."""
        await self._removed(f"{arm_id}/federatedIdentityCredentials/{name}", CREDENTIALS)

    async def _removed(self, path: str, role: str) -> None:
        try:
            await self._arm.write("DELETE", path, API, role=role)
        except PermanentError as error:
            if error.code != "not-found":
                raise


def normal(arm_id: str) -> str:
    """Return the ARM id of an identity in the form that Rekey keeps; InputError for anything else."""
    return str(ArmId.of(arm_id, TYPE))


def _identity(body: dict[str, Any] | None, arm_id: str) -> ManagedIdentity:
    said = (body or {}).get("properties") or {}
    found = {name: str(said.get(name) or "").lower() for name in ("clientId", "principalId", "tenantId")}
    if not (found["clientId"] and found["principalId"]):
        raise NotYetError("incomplete-answer", f"{arm_id}: the service told no client id or principal id of it yet")
    return ManagedIdentity(
        arm_id=arm_id,
        client_id=found["clientId"],
        principal_id=found["principalId"],
        tenant=found["tenantId"],
        tags=(body or {}).get("tags") or {},
    )


def _credential(found: dict[str, Any]) -> FederatedCredential:
    said = found.get("properties") or {}
    return FederatedCredential(
        issuer=str(said.get("issuer") or ""),
        subject=str(said.get("subject") or ""),
        audiences=tuple(said.get("audiences") or ()),
        name=str(found.get("name") or ""),
    )
