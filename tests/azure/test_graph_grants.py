"""Owners and app roles in the simulated Graph: who may grant them, and the refusals that programs look for."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from local.azure import graph_roles
from local.azure.directory import Identity
from local.azure.tokens import Subject
from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

SPEC = "msgraph-v1.0/openapi-subset.json"
OWNED_BY, POLICY = graph_roles.ROLES["Application.ReadWrite.OwnedBy"], graph_roles.ROLES["Policy.Read.All"]
DOCUMENT: dict[str, Any] = {
    "users": {
        "owner@contoso.example": {},
        "nobody@contoso.example": {"directory_roles": ["Security Reader"]},
        "apps@contoso.example": {"directory_roles": ["Cloud Application Administrator"]},
        "roles@contoso.example": {"directory_roles": ["Privileged Role Administrator"]},
    },
    "identities": {
        "rekey": {"app_roles": ["Application.ReadWrite.OwnedBy"]},
        "apps": {"app_roles": ["Application.ReadWrite.All"]},
        "granter": {"app_roles": ["AppRoleAssignment.ReadWrite.All"]},
    },
    "applications": {"billing": {"owners": ["rekey", {"user_principal_name": "owner@contoso.example"}]}},
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A directory with one application, three identities and four people."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


def rekey(azure: Simulated) -> Identity:
    """Return the identity that is granted things."""
    return azure.cloud.directory.identity("rekey")


async def ask(azure: Simulated, method: str, path: str, who: str, body: Any = None) -> Answer:
    """Send one request to Graph as an identity or as a person."""
    directory = azure.cloud.directory
    person = directory.users.get(who)
    caller = None if person else directory.identity(who)
    object_id, roles = (person.object_id, frozenset[str]()) if person else (caller.object_id, caller.app_roles)  # type: ignore[union-attr]
    subject = Subject(azure.cloud.tenant, object_id, object_id, azure.cloud.url("graph"), roles)
    token = azure.cloud.tokens.issue(subject, 3600)
    return await azure.call(method, f"{azure.cloud.url('graph')}/v1.0{path}", token=token, body=body)


def owners_path(azure: Simulated) -> str:
    """Return the path of the application's owners."""
    return f"/applications(appId='{azure.cloud.directory.application('billing').app_id}')/owners"


def roles_path(azure: Simulated) -> str:
    """Return the path of what the identity was granted."""
    return f"/servicePrincipals/{rekey(azure).object_id}/appRoleAssignments"


def reference(object_id: str) -> dict[str, str]:
    """Return the body that adds an owner."""
    return {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{object_id}"}


def assignment(azure: Simulated, role: str) -> dict[str, str]:
    """Return the body that grants a role of Graph."""
    directory = azure.cloud.directory
    return {"principalId": rekey(azure).object_id, "resourceId": directory.graph_principal, "appRoleId": role}


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("owner@contoso.example", 204),
        ("apps@contoso.example", 204),
        ("apps", 204),
        ("nobody@contoso.example", 403),
        ("roles@contoso.example", 403),
        ("rekey", 403),
    ],
)
async def test_who_may_add_an_owner(azure: Simulated, who: str, status: int) -> None:
    """A person who owns the application or administers applications may; OwnedBy doesn't suffice, even for an owner."""
    added = azure.cloud.directory.identity("granter").object_id
    answer = await ask(azure, "POST", f"{owners_path(azure)}/$ref", who, reference(added))
    assert answer.status == status
    assert (added in azure.cloud.directory.application("billing").owners) == (status == 204)


@pytest.mark.parametrize(
    ("who", "status"),
    [("roles@contoso.example", 201), ("granter", 201), ("apps@contoso.example", 403), ("rekey", 403), ("apps", 403)],
)
async def test_who_may_grant_a_role_of_graph(azure: Simulated, who: str, status: int) -> None:
    """Administrators of applications may not grant Graph's roles; what was granted is in the identity's next token."""
    answer = await ask(azure, "POST", roles_path(azure), who, assignment(azure, POLICY))
    assert answer.status == status
    assert ("Policy.Read.All" in rekey(azure).app_roles) == (status == 201)


async def test_what_is_there_already_is_refused_in_graphs_words(azure: Simulated) -> None:
    """A second owner reference or assignment is a 400 with the sentence that programs look for."""
    body = reference(rekey(azure).object_id)
    owner = await ask(azure, "POST", f"{owners_path(azure)}/$ref", "apps", body)
    role = await ask(azure, "POST", roles_path(azure), "granter", assignment(azure, OWNED_BY))
    assert (owner.status, owner.body["error"]["code"]) == (400, "Request_BadRequest")
    assert owner.body["error"]["message"].startswith("One or more added object references already exist")
    assert (role.status, role.body["error"]["code"]) == (400, "Request_BadRequest")
    assert role.body["error"]["message"] == "Permission being assigned already exists on the object"


@pytest.mark.parametrize("wrong", ["principalId", "resourceId", "appRoleId"])
async def test_an_assignment_that_fits_nothing_is_refused(azure: Simulated, wrong: str) -> None:
    """Another principal, a resource without that role and an unknown role are a 400; nothing is granted."""
    body = {**assignment(azure, POLICY), wrong: "7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11"}
    assert (await ask(azure, "POST", roles_path(azure), "granter", body)).status == 400
    assert rekey(azure).app_roles == {"Application.ReadWrite.OwnedBy"}


async def test_an_owner_that_does_not_exist_is_not_added(azure: Simulated) -> None:
    """An id that nothing in the directory has is a 404."""
    body = reference("7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11")
    answer = await ask(azure, "POST", f"{owners_path(azure)}/$ref", "apps", body)
    assert (answer.status, answer.body["error"]["code"]) == (404, "Request_ResourceNotFound")


async def test_both_can_be_taken_back(azure: Simulated) -> None:
    """An owner and an assignment are removed by their ids, once."""
    granted = (await ask(azure, "GET", roles_path(azure), "apps")).body["value"]
    assert [one["appRoleId"] for one in granted] == [OWNED_BY]
    removals = [
        (f"{owners_path(azure)}/{rekey(azure).object_id}/$ref", "apps"),
        (f"{roles_path(azure)}/{granted[0]['id']}", "granter"),
    ]
    for path, who in removals:
        assert [(await ask(azure, "DELETE", path, who)).status for _ in range(2)] == [204, 404]
    assert rekey(azure).object_id not in azure.cloud.directory.application("billing").owners
    assert rekey(azure).app_roles == frozenset()


async def test_people_are_told_who_they_are(azure: Simulated) -> None:
    """A person learns the own id and active roles; an application has no `me`."""
    me = await ask(azure, "GET", "/me?$select=id", "roles@contoso.example")
    assert me.body["id"] == azure.cloud.directory.users["roles@contoso.example"].object_id
    path = "/me/transitiveMemberOf/microsoft.graph.directoryRole"
    roles = (await ask(azure, "GET", path, "roles@contoso.example")).body["value"]
    assert [role["roleTemplateId"] for role in roles] == ["e8611ab8-c189-46e8-94e1-60213ab1f814"]
    refused = await ask(azure, "GET", "/me", "rekey")
    assert refused.status == 400
    assert "delegated authentication flow" in refused.body["error"]["message"]


async def test_graphs_own_principal_offers_its_roles(azure: Simulated) -> None:
    """Whoever looks a role up by its name finds the id that can be granted."""
    path = f"/servicePrincipals(appId='{graph_roles.APP_ID}')?$select=id,appRoles"
    found = (await ask(azure, "GET", path, "nobody@contoso.example")).body
    assert {role["value"]: role["id"] for role in found["appRoles"]}["Application.ReadWrite.OwnedBy"] == OWNED_BY
    assert found["id"] == azure.cloud.directory.graph_principal


async def test_an_unknown_directory_role_is_no_seed(azure: Simulated) -> None:
    """A seed that names a role which doesn't exist is refused with the field and what is known."""
    document = {"users": {"eve@contoso.example": {"directory_roles": ["King"]}}}
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body=document)
    assert answer.status == 400
    assert answer.body["error"].startswith("users.eve@contoso.example.directory_roles: got ['King'], expected some of")


@needs_contracts
async def test_requests_and_answers_match_the_specification(azure: Simulated) -> None:
    """Both writes take and give what Graph publishes, refusals included."""
    principal = "/servicePrincipals/id/appRoleAssignments"
    body = assignment(azure, POLICY)
    validate_request(SPEC, f"POST {principal}", body)
    for status in (201, 400):
        answer = await ask(azure, "POST", roles_path(azure), "granter", body)
        assert answer.status == status
        validate_response(SPEC, f"POST {principal}", status, answer.body)
    listed = await ask(azure, "GET", roles_path(azure), "apps")
    validate_response(SPEC, f"GET {principal}", 200, listed.body)
    validate_request(SPEC, "POST /applications/id/owners/$ref", reference(rekey(azure).object_id))
    shown = await ask(azure, "GET", f"/servicePrincipals/{azure.cloud.directory.graph_principal}", "apps")
    validate_response(SPEC, "GET /servicePrincipals/id", 200, shown.body)
