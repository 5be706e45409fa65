"""Knows what a record of Key Vault's audit log looks like: of a request that was answered, or of anything else.

Sources: https://learn.microsoft.com/azure/key-vault/general/logging, and records that people published. In those what
was refused is a "Success" as well: `resultType` says that the request was answered.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal

from local.azure.keyvault_state import Vault

type Form = Literal["lines", "records"]

_LONG = {
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "upn": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
}
"""How the documentation, which still shows the older form, spells the claims."""

OPERATIONS = {
    ("GET", "/secrets"): "SecretList",
    ("GET", "/secrets/{name}/versions"): "SecretListVersions",
    ("PUT", "/secrets/{name}"): "SecretSet",
    ("DELETE", "/secrets/{name}"): "SecretDelete",
    ("GET", "/secrets/{name}"): "SecretGet",
    ("PATCH", "/secrets/{name}"): "SecretUpdate",
    ("GET", "/secrets/{name}/"): "SecretGet",
    ("PATCH", "/secrets/{name}/"): "SecretUpdate",
    ("GET", "/secrets/{name}/{version}"): "SecretGet",
    ("PATCH", "/secrets/{name}/{version}"): "SecretUpdate",
    ("GET", "/deletedsecrets"): "SecretListDeleted",
    ("GET", "/deletedsecrets/{name}"): "SecretGetDeleted",
    ("DELETE", "/deletedsecrets/{name}"): "SecretPurge",
    ("POST", "/deletedsecrets/{name}/recover"): "SecretRecover",
}
"""What the log calls the operations that are simulated; https://learn.microsoft.com/azure/key-vault/general/logging."""


@dataclass(frozen=True, kw_only=True)
class Happened:
    """What a record tells. `claims` are the token's, in their short names, none where nobody was signed in."""

    vault: Vault
    operation: str
    status: int
    at: datetime
    claims: dict[str, str]
    address: str
    uri: str
    id: str = ""
    version: str = ""
    agent: str = ""
    description: str = ""
    correlation: str = ""


def record(happened: Happened, form: Form) -> dict[str, Any]:
    """Return the record; `resourceId` is upper case, whatever the blob's name is."""
    claims = {_LONG.get(name, name) if form == "records" else name: value for name, value in happened.claims.items()}
    properties = {
        "id": happened.id,
        "clientInfo": happened.agent,
        "httpStatusCode": happened.status,
        "requestUri": happened.uri,
        "isRbacAuthorized": happened.status not in {401, 403},
        "tlsVersion": "TLS1_3",
    }
    whole = {
        "time": happened.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "category": "AuditEvent",
        "operationName": happened.operation,
        "resultType": "Success",
        "resultDescription": happened.description,
        "correlationId": happened.correlation,
        "callerIpAddress": happened.address,
        "identity": {"claim": claims} if claims else {},
        "properties": {name: value for name, value in properties.items() if value != ""},
        "resourceId": happened.vault.arm_id.upper(),
        "operationVersion": happened.version,
        "resultSignature": "OK" if happened.status == 200 else HTTPStatus(happened.status).phrase,
        "durationMs": "12",
    }
    return {name: value for name, value in whole.items() if value != ""}
