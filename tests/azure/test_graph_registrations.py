"""Applications registered in the simulated Graph: what is published, what is refused, and by whom."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Simulated, simulated
from tests.azure.test_graph_grants import DOCUMENT, SPEC, ask

SCOPE_ID, CLIENT = "0b7a3a0e-6f0c-4c55-9d0b-5d1f3e2a9c41", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
OWNER, OTHER = "owner@contoso.example", "nobody@contoso.example"
SCOPE = {
    "id": SCOPE_ID,
    "value": "user_impersonation",
    "type": "User",
    "isEnabled": True,
    "adminConsentDisplayName": "Call it",
    "adminConsentDescription": "Call it as the signed-in person",
}
WANTED: dict[str, Any] = {"displayName": "api", "api": {"oauth2PermissionScopes": [SCOPE]}}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A directory with people, of whom any may register applications."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


async def made(azure: Simulated) -> str:
    """Register an application and return its client id."""
    return str((await ask(azure, "POST", "/applications", OWNER, WANTED)).body["appId"])


@needs_contracts
async def test_registering_matches_the_specification(azure: Simulated) -> None:
    """An application and its service principal are made by what Graph publishes, and shown as it does."""
    validate_request(SPEC, "POST /applications", WANTED)
    answer = await ask(azure, "POST", "/applications", OWNER, WANTED)
    assert answer.status == 201
    validate_response(SPEC, "POST /applications", 201, answer.body)
    client_id = answer.body["appId"]
    change = {"api": {"preAuthorizedApplications": [{"appId": CLIENT, "delegatedPermissionIds": [SCOPE_ID]}]}}
    validate_request(SPEC, "PATCH /applications/id", change)
    path = f"/applications(appId='{client_id}')"
    assert (await ask(azure, "PATCH", path, OWNER, change)).status == 204
    shown = await ask(azure, "GET", path, OWNER)
    validate_response(SPEC, "GET /applications/id", 200, shown.body)
    assert shown.body["api"]["oauth2PermissionScopes"] == [SCOPE]
    assert shown.body["api"]["preAuthorizedApplications"] == change["api"]["preAuthorizedApplications"]
    principal = await ask(azure, "POST", "/servicePrincipals", OWNER, {"appId": client_id})
    assert principal.status == 201
    validate_response(SPEC, "POST /servicePrincipals", 201, principal.body)


async def test_only_owners_and_administrators_change_it(azure: Simulated) -> None:
    """Who made an application owns it; others may neither change nor delete it, an administrator may."""
    path = f"/applications(appId='{await made(azure)}')"
    assert (await ask(azure, "PATCH", path, OTHER, {"tags": ["mine"]})).status == 403
    assert (await ask(azure, "DELETE", path, OTHER)).status == 403
    assert (await ask(azure, "PATCH", path, OWNER, {"tags": ["mine"]})).status == 204
    assert (await ask(azure, "DELETE", path, "apps@contoso.example")).status == 204
    assert (await ask(azure, "GET", path, OWNER)).status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"identifierUris": ["api://rekey"]},
        {"api": {"preAuthorizedApplications": [{"appId": CLIENT, "delegatedPermissionIds": [CLIENT]}]}},
        {"api": {"requestedAccessTokenVersion": 3}},
        {"colour": "red"},
    ],
)
async def test_what_does_not_fit_is_refused(azure: Simulated, change: dict[str, Any]) -> None:
    """An address that isn't the application's, a scope that isn't offered, and unknown values change nothing."""
    path = f"/applications(appId='{await made(azure)}')"
    before = (await ask(azure, "GET", path, OWNER)).body
    assert (await ask(azure, "PATCH", path, OWNER, change)).status == 400
    assert (await ask(azure, "GET", path, OWNER)).body == before


async def test_one_service_principal_for_each(azure: Simulated) -> None:
    """A second service principal is a 409, one for no application a 400."""
    body = {"appId": await made(azure)}
    answers = [await ask(azure, "POST", "/servicePrincipals", OWNER, body) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 409]
    assert (await ask(azure, "POST", "/servicePrincipals", OWNER, {"appId": CLIENT})).status == 400
