"""Roles of new connections' identities: the old one's or the one asked for, and never more than settings allow."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from local.azure.arm import ResourceManager
from local.azure.arm_access import Assignment
from local.storage import Azurite
from rekey.clients import Clients
from rekey.errors import InputError, PermanentError, ScopeError
from rekey.federation import roles
from rekey.federation_settings import REFUSED
from rekey.model.federation import Federation, Identity
from rekey.model.federation_request import Mode, Target
from rekey.role_assignments import RoleAssignments
from tests.federation.trusted import CONTRIBUTOR, SHOP, SUBSCRIPTION, Trusted, recording, vends


@pytest.fixture
async def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Trusted]:
    """Return the company of an app that vends."""
    async with recording(tmp_path, monkeypatch, azurite.connection_string, **vends()) as running:
        await running.company.azure.seed({"identities": {"deployer": {"attached": False}}})
        yield running


def _assignments(trusted: Trusted, name: str = "deployer") -> set[tuple[str, str]]:
    arm = trusted.company.azure.cloud.services["arm"]
    assert isinstance(arm, ResourceManager)
    who = trusted.company.azure.cloud.directory.identity(name).object_id
    return {(one.role, one.scope) for one in arm.access.assignments if one.object_id == who}


async def _give(trusted: Trusted, *assignments: tuple[str, str, str], **more: Any) -> None:
    wanted = [{"identity": who, "role": role, "scope": scope, **more} for who, role, scope in assignments]
    await trusted.company.azure.seed({"role_assignments": wanted})


async def _beside(trusted: Trusted) -> Federation:
    """Return a walk that replaces the company's connection by one that signs in as the deployer."""
    endpoint = await trusted.connection()
    walk = trusted.walk(endpoint, Mode.SIDE_BY_SIDE, target=Target.MANAGED_IDENTITY)
    return _as_deployer(trusted, walk)


def _as_deployer(trusted: Trusted, walk: Federation) -> Federation:
    found = trusted.company.azure.cloud.directory.identity("deployer")
    identity = Identity(client_id=found.client_id, principal_id=found.object_id, arm_id=found.arm_id)
    return walk.but(signs_in_as=identity)


async def test_allowed_roles_are_copied_and_the_others_told(trusted: Trusted) -> None:
    """At and below the scopes; not above them, not what settings don't name, and never what can grant all others."""
    old, below = trusted.company.scenario.application, f"{SHOP}/providers/Microsoft.Web/sites/shop"
    await _give(
        trusted,
        (old, "Contributor", below),
        (old, "Website Contributor", SHOP),
        (old, "Reader", SUBSCRIPTION),
        (old, "Owner", SHOP),
        (old, "Contributor", f"{SUBSCRIPTION}/resourceGroups/theirs"),
    )
    walk = await _beside(trusted)
    found = await roles.copy(trusted.company.clients, walk)
    assert _assignments(trusted) == {("Contributor", below)}
    assert len(found.assignments) == 1
    remarks = "\n".join(found.remarks)
    assert len(found.remarks) == 3
    assert f"Role Owner at '{SHOP}' was not copied, which Rekey never grants." in remarks
    assert f"at '{SUBSCRIPTION}' was not copied, which REKEY_VENDING doesn't allow there." in remarks
    assert "theirs" not in remarks
    assert await roles.copy(trusted.company.clients, walk) == found
    assert _assignments(trusted) == {("Contributor", below)}
    assert await roles.take_back(trusted.company.clients, walk) == 1
    assert _assignments(trusted) == set()


async def test_a_condition_is_copied_with_its_role(trusted: Trusted) -> None:
    """Without it the new identity would have more than the old one."""
    condition = (
        "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
        "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals "
        f"{{{CONTRIBUTOR}}}))"
    )
    await _give(trusted, (trusted.company.scenario.application, "Contributor", SHOP), condition=condition)
    await roles.copy(trusted.company.clients, await _beside(trusted))
    (made,) = [
        one for one in _all(trusted) if one.scope == SHOP and one.principal_type == "ServicePrincipal" and one.by
    ]
    assert made.condition
    assert made.condition.text == condition
    assert made.description
    assert made.description.startswith("rekey/local/")


def _all(trusted: Trusted) -> list[Assignment]:
    arm = trusted.company.azure.cloud.services["arm"]
    assert isinstance(arm, ResourceManager)
    return arm.access.assignments


async def test_what_was_asked_for_is_granted_once(trusted: Trusted) -> None:
    """By name or GUID, whatever its case; repeated it is the same one, and what somebody else granted is left."""
    walk = _as_deployer(trusted, trusted.vended(role="contributor"))
    found = await roles.grant(trusted.company.clients, walk)
    assert await roles.grant(trusted.company.clients, walk.but(role=CONTRIBUTOR.upper())) == found
    assert _assignments(trusted) == {("Contributor", SHOP)}
    another = _as_deployer(trusted, trusted.vended())
    theirs = await roles.grant(trusted.company.clients, another)
    assert (theirs.assignments, "already" in theirs.remarks[0]) == ((), True)
    assert await roles.take_back(trusted.company.clients, another) == 0
    assert _assignments(trusted) == {("Contributor", SHOP)}
    assert await roles.take_back(trusted.company.clients, walk.but(granted=found)) == 1


async def test_refused_roles_are_refused_when_they_would_be_granted(trusted: Trusted) -> None:
    """Even if settings named them, which settings refuse; and so is what settings don't name."""
    federating = trusted.company.settings.federating
    assert federating.vending
    forged = replace(federating, vending=replace(federating.vending, roles=tuple(REFUSED)))
    clients = Clients(replace(trusted.company.settings, federating=forged))
    try:
        for role in (*REFUSED, *REFUSED.values(), "Website Contributor"):
            with pytest.raises(ScopeError, match="REKEY_VENDING"):
                await roles.grant(clients, _as_deployer(trusted, trusted.vended(role=role)))
    finally:
        await clients.aclose()
    assert _assignments(trusted) == set()


async def test_beyond_the_scopes_nothing_is_granted(trusted: Trusted) -> None:
    """Above, beside, and what only one of the two settings names; nothing at all by an app that rotates."""
    for scope, setting in (
        (SUBSCRIPTION, "REKEY_SCOPES"),
        (f"{SHOP}-two", "REKEY_SCOPES"),
        (SHOP.replace("shop", "identities"), "REKEY_VENDING"),
    ):
        with pytest.raises(ScopeError, match=setting):
            await roles.grant(trusted.company.clients, _as_deployer(trusted, trusted.vended(scope=scope)))
    settings = replace(trusted.company.settings, federating=replace(trusted.company.settings.federating, vending=None))
    for act in (roles.grant, roles.copy):
        with pytest.raises(PermanentError, match="grants no roles"):
            await act(Clients(settings), _as_deployer(trusted, trusted.vended()))


async def test_a_role_is_found_by_its_name(trusted: Trusted) -> None:
    """Well-known ones without asking, others where they can be assigned; one that isn't there is told by name."""
    assignments = RoleAssignments(trusted.company.clients)
    assert await assignments.definition("Logic App Contributor", SHOP) == "87a39d53-fc1b-424a-814c-f7e04687dc9e"
    for role in ("Emperor", "x' or roleName ne '"):
        with pytest.raises(InputError, match="role: got"):
            await assignments.definition(role, SHOP)
    assert json.dumps(await trusted.company.requests("arm")).count("roleDefinitions") == 2
