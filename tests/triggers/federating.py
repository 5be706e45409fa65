"""Knows how the tests of federations' API get the two apps' settings, and what a federation on record looks like."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from rekey.clients import clients
from rekey.federation.records import FederationRecord
from rekey.model.federation import Federation, Mode
from rekey.settings import settings

INSTANCE = "federate.contoso.shop.deploy"
NOW = datetime.now(UTC)
ADA, BOB = "ada@contoso.example", "bob@contoso.example"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
GROUP = f"{SUBSCRIPTION}/resourceGroups/shop"
CONTRIBUTOR, READER = "b24988ac-6180-42a0-ab88-20f7382dd24c", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
APPLICATION = "11111111-1111-1111-1111-111111111111"
SCOPE = {
    "vaults": ["kv-one"],
    "organizations": {"contoso": ["Shop"]},
    "applications": [APPLICATION],
    "resources": [GROUP],
}
VENDING = {
    "roles": [CONTRIBUTOR],
    "scopes": [GROUP],
    "identities": f"{SUBSCRIPTION}/resourceGroups/identities",
    "location": "westeurope",
}


def app(monkeypatch: pytest.MonkeyPatch, **environ: str) -> None:
    """Let the app be one with those settings; by default one that rotates, and may do all that such an app can."""
    known = {"REKEY_SCOPES": json.dumps([SCOPE]), "REKEY_FEDERATION": "repair,in-place", **environ}
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    kept = clients()._made
    clients.cache_clear()
    clients()._made.update(kept)


def vending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the app be one that makes connections."""
    app(
        monkeypatch,
        REKEY_DUTY="vending",
        REKEY_VENDING=json.dumps(VENDING),
        REKEY_FEDERATION="side-by-side,vend",
    )


def federation(**changes: Any) -> Federation:
    """Return a federation of the connection deploy; Ada asked for it."""
    known: dict[str, Any] = {
        "id": str(uuid4()),
        "instance": INSTANCE,
        "mode": Mode.IN_PLACE,
        "organization": "contoso",
        "project": "Shop",
        "connection": "deploy",
        "started": NOW,
        "requested_by": ADA,
    }
    return Federation(**known | changes)


def record(*, walk: Federation | None = None, age: timedelta = timedelta(), **changes: Any) -> FederationRecord:
    """Return the record of a federation."""
    known: dict[str, Any] = {"federation": walk or federation(), "deployment": "dev", "opened": NOW - age}
    return FederationRecord(**known | changes)
