"""Knows how a test makes a line of Key Vault's audit log, in the shape that Microsoft's documentation shows."""

import json
from typing import Any
from uuid import UUID

VAULT = "kv-shop"
HOST = "https://kv-shop.vault.azure.net"
APP = "04b07795-0000-4000-8000-000000000001"
OBJECT = "d9da5048-2737-4770-bd64-000000000002"
V1, V2 = (UUID(int=number).hex for number in (1, 2))
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
REFUSED = {"resultType": "Forbidden", "resultSignature": "Forbidden"}
DISABLED = {**REFUSED, "resultDescription": "Operation get is not allowed on a disabled secret."}


def entry(path: str = "/secrets/deploy", operation: str = "SecretGet", **fields: Any) -> dict[str, Any]:
    """Return a record of a request for that path; `status`, `id` and `claim` are put where they belong."""
    claim = fields.pop("claim", {OBJECT_ID: OBJECT, "appid": APP})
    properties: dict[str, Any] = {
        "clientInfo": "azsdk-python-keyvault-secrets/4.9.0 Python/3.13",
        "requestUri": f"{HOST}{path}?api-version=7.4",
        "httpStatusCode": fields.pop("status", 200),
        "isAccessPolicyMatch": True,
    }
    if "id" in fields:
        properties["id"] = fields.pop("id")
    return {
        "time": "2026-01-05T01:32:01.2691226Z",
        "resourceId": "/SUBSCRIPTIONS/X/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/KV-SHOP",
        "operationName": operation,
        "operationVersion": "7.4",
        "category": "AuditEvent",
        "resultType": "Success",
        "resultSignature": "OK",
        "resultDescription": "",
        "durationMs": "78",
        "callerIpAddress": "104.40.82.76",
        "correlationId": "",
        "identity": {"claim": claim} if claim else {},
        "properties": properties,
        **fields,
    }


def line(path: str = "/secrets/deploy", operation: str = "SecretGet", **fields: Any) -> bytes:
    """Return that record as one line of a blob."""
    return json.dumps(entry(path, operation, **fields)).encode()
