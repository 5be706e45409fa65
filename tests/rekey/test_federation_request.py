"""Holds what may be asked for of service connections, and that an error names field, value and what was expected."""

import re
from typing import Any

import pytest

from rekey.model.federation import FederationRequest, Mode, Target, VendingRequest

PLACE = {"organization": "contoso", "project": "Web Shop"}
ASKED = {**PLACE, "connection": "Azure (prod) - Größe"}
SIDE = {**ASKED, "mode": "side-by-side"}
IDENTITY = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/deploy"
WANTED = {**PLACE, "name": "deploy", "scope": "/subscriptions/0/resourceGroups/rg", "role": "Contributor"}


def test_what_is_not_said_is_in_place_with_a_week_of_way_back() -> None:
    """Only where and which connection has to be said."""
    request = FederationRequest.parse(ASKED)
    assert (request.mode, request.target, request.soak) == (Mode.IN_PLACE, Target.APPLICATION, "P7D")


def test_a_managed_identity_is_asked_for_by_its_id() -> None:
    """Side by side may have a name, an identity and a soak of its own."""
    more = {"target": "managed-identity", "identity": IDENTITY, "name": "new", "soak": "P1DT12H30S"}
    request = FederationRequest.parse({**SIDE, **more})
    assert (request.target, request.identity, request.name) == (Target.MANAGED_IDENTITY, IDENTITY, "new")


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ("prod", "input: got 'prod', expected an object with organization, project"),
        (PLACE, "connection: missing, expected the name of a service connection"),
        ({**ASKED, "organization": "https://evil.example/contoso"}, "organization: got 'https://evil"),
        ({**ASKED, "project": "a/b"}, "project: got 'a/b', expected the name of a project"),
        ({**ASKED, "connection": ""}, "connection: got '', expected"),
        ({**ASKED, "connection": "a\nb"}, "connection: got 'a\\nb', expected"),
        ({**ASKED, "connection": " prod"}, "connection: got ' prod', expected"),
        ({**ASKED, "mode": "vend"}, "mode: got 'vend', expected one of in-place, side-by-side, repair"),
        ({**ASKED, "mode": 7}, "mode: got 7, expected one of"),
        ({**ASKED, "name": "new"}, "name: got 'new', expected nothing unless mode is side-by-side"),
        ({**ASKED, "target": "managed-identity"}, "target: got 'managed-identity', expected application unless"),
        ({**SIDE, "identity": IDENTITY}, "identity: got '/subscriptions"),
        ({**SIDE, "target": "managed-identity"}, "identity: got '', expected the ARM id"),
        ({**SIDE, "target": "managed-identity", "identity": "https://x"}, "identity: got 'https://x'"),
        ({**SIDE, "name": ASKED["connection"].upper()}, "name: got 'AZURE"),
        ({**ASKED, "soak": "7 days"}, "soak: got '7 days', expected an ISO 8601 duration"),
        ({**ASKED, "soak": "P"}, "soak: got 'P'"),
        ({**ASKED, "force": True}, "force: unknown, expected organization"),
    ],
)
def test_what_cannot_be_federated_is_said(payload: Any, told: str) -> None:
    """Every field is checked before anything is started."""
    with pytest.raises(ValueError, match="^" + re.escape(told)):
        FederationRequest.parse(payload)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"scope": "rg"}, "scope: got 'rg', expected the ARM id of what the connection is for"),
        ({"scope": ""}, "scope: got '', expected"),
        *(
            (
                {"scope": f"/subscriptions/0/resourceGroups/rg{below}"},
                f"scope: got '/subscriptions/0/resourceGroups/rg{below}'",
            )
            for below in ("/../other", "/..", "/./x", "/", "//x", "/x?a", "/%2e%2e/other")
        ),
        ({"role": ""}, "role: got '', expected the name of a built-in role"),
        ({"twin": "yes"}, "twin: got 'yes', expected true or false"),
        ({"connection": "x"}, "connection: unknown, expected organization, project, name"),
    ],
)
def test_what_cannot_be_vended_is_said(changed: dict[str, Any], told: str) -> None:
    """Likewise of a connection that is to be made."""
    assert VendingRequest.parse({**WANTED, "twin": True}).twin
    with pytest.raises(ValueError, match="^" + re.escape(told)):
        VendingRequest.parse({**WANTED, **changed})
