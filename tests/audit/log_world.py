"""Knows how Azure Monitor lays a vault's audit log into a container, and how a turn over it is taken."""

import io
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from azure.storage.blob.aio import ContainerClient

from rekey.audit.access import Access
from rekey.audit.alerts import counted
from rekey.audit.ports import Hit
from rekey.audit.readers import Readers
from rekey.audit.state import State, States
from rekey.audit.tally import Tally
from rekey.audit.turn import Turn
from rekey.audit.unreadable import PREFIX as UNREADABLE
from rekey.audit.unreadable import Kept
from rekey.model.audit import Glance, Place, Read

VAULT = "contoso"
SUBSCRIPTION = "4B1D5C9E-0F5A-4C3B-9D21-0A6D6F1B7C11"
NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
STRANGER = "22222222-2222-4222-8222-222222222222"

type Weigh = Callable[[Sequence[Access]], Awaitable[Sequence[Hit]]]


def prefix(vault: str = VAULT, group: str = "PLATFORM") -> str:
    """Return what the names of a vault's blobs begin with."""
    above = f"resourceId=/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/{group}/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS"
    return f"{above}/{vault.upper()}/"


PLACE = Place(account=0, prefix=prefix(), vault=VAULT)


def blob_name(hour: datetime, vault: str = VAULT) -> str:
    """Return the blob of that hour."""
    return f"{prefix(vault)}{hour:y=%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json"


def record(name: str = "app", at: datetime = NOW, who: str = STRANGER, **fields: Any) -> dict[str, Any]:
    """Return a read of a secret as Key Vault logs it: https://learn.microsoft.com/azure/key-vault/general/logging."""
    uri = f"https://{VAULT}.vault.azure.net/secrets/{name}"
    claims = {"http://schemas.microsoft.com/identity/claims/objectidentifier": who, "appid": who}
    return {
        "time": f"{at:%Y-%m-%dT%H:%M:%S}.1234567Z",
        "resourceId": prefix().removeprefix("resourceId=").removesuffix("/"),
        "operationName": "SecretGet",
        "operationVersion": "7.4",
        "category": "AuditEvent",
        "resultType": "Success",
        "resultSignature": "OK",
        "resultDescription": "",
        "durationMs": "78",
        "callerIpAddress": "104.40.82.76",
        "correlationId": "",
        "identity": {"claim": claims},
        "properties": {
            "clientInfo": "azsdk-python",
            "requestUri": f"{uri}?api-version=7.4",
            "id": uri,
            "httpStatusCode": 200,
        },
        **fields,
    }


def lines(*records: dict[str, Any]) -> bytes:
    """Return records as lines."""
    return b"".join(json.dumps(one).encode() + b"\r\n" for one in records)


def listed(*records: dict[str, Any]) -> bytes:
    """Return records in the older form."""
    return json.dumps({"records": records}).encode()


async def append(logs: ContainerClient, name: str, body: bytes) -> None:
    """Append to a blob, which is made if need be."""
    blob = logs.get_blob_client(name)
    if not await blob.exists():
        await blob.create_append_blob()
    await blob.append_block(io.BytesIO(body), length=len(body))


async def put(logs: ContainerClient, name: str, body: bytes) -> None:
    """Write a blob in place of what is there."""
    blob = logs.get_blob_client(name)
    await blob.create_append_blob()  # which empties one that is there
    if body:
        await blob.append_block(io.BytesIO(body), length=len(body))


def glance(started: datetime = NOW) -> Glance:
    """Return what a turn is told."""
    return Glance(run_id="run", started=started, place=PLACE)


def everything_hits(own: ContainerClient) -> Weigh:
    """Return a judgement that every access is a hit, and that readers are learned."""

    async def weigh(accesses: Sequence[Access]) -> list[Hit]:
        await Readers(own).learn(VAULT, accesses)
        return [Hit(rule="unexpected-reader", access=access) for access in accesses]

    return weigh


async def turn(
    logs: ContainerClient, own: ContainerClient, started: datetime = NOW, weigh: Weigh | None = None
) -> Read:
    """Take one turn."""
    return await Turn(logs, own, weigh or everything_hits(own), counted).run(glance(started), Tally(VAULT))


async def state(own: ContainerClient) -> State:
    """Return what is kept of the vault."""
    return (await States(own).read(PLACE))[0]


async def hits(own: ContainerClient) -> dict[str, int]:
    """Return how often each secret's readers were counted."""
    found: Counter[str] = Counter()
    for group in (await state(own)).groups.values():
        found.update({group.secret: group.times} if group.rule == "unexpected-reader" else {})
    return found


async def unreadable(own: ContainerClient) -> list[Kept]:
    """Return what could not be read, by turn."""
    found = [name async for name in own.list_blob_names(name_starts_with=UNREADABLE)]
    return [msgspec.json.decode(await (await own.download_blob(name)).readall(), type=Kept) for name in found]


def ago(**span: float) -> datetime:
    """Return a time before NOW."""
    return NOW - timedelta(**span)
