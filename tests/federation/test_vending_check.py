"""What may be vended: which names, scopes and roles, where, and what is refused before anybody approves it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from local.azure.arm import ResourceManager
from local.storage import Azurite
from rekey import names
from rekey.errors import RekeyError
from rekey.federation.vending_check import check
from rekey.federation_settings import REFUSED
from rekey.model.federation import FederationReading, VendingQuestion
from rekey.model.federation_request import Mode, VendingRequest
from tests.federation.trusted import CONTRIBUTOR, IDENTITIES, READER, SHOP, SUBSCRIPTION, Trusted, recording, vends

BELOW = f"{SHOP}/providers/Microsoft.Web/sites/shop"


@pytest.fixture
async def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Trusted]:
    """Return the company of an app that vends, and may make connections."""
    async with recording(tmp_path, monkeypatch, azurite.connection_string, **vends()) as running:
        await _may(running, "create")
        yield running


async def _may(trusted: Trusted, *rights: str) -> None:
    scenario = trusted.company.scenario
    member = {"members": {"rekey": {"projects": {scenario.project: list(rights)}}}}
    await trusted.company.azure.seed({"organizations": {scenario.organization: member}})


async def _checked(trusted: Trusted, **changes: Any) -> FederationReading:
    scenario = trusted.company.scenario
    asked = {"organization": scenario.organization, "project": scenario.project, "name": "new", "scope": SHOP}
    request = VendingRequest(**{**asked, "role": "Contributor", "requested_by": "ada@contoso.example", **changes})
    ids = {"id": str(uuid4()), "twin_id": str(uuid4()), "instance": "federate.test"}
    question = VendingQuestion(request=request, started=datetime.now(UTC), **ids)
    return await check(trusted.company.clients, question)


async def _code(trusted: Trusted, **changes: Any) -> tuple[str, str]:
    """Return the code of the refusal, and what is said."""
    with pytest.raises(RekeyError) as refused:
        await _checked(trusted, **changes)
    return refused.value.code, f"{refused.value.message}. {refused.value.what_to_do}"


async def test_what_settings_allow_becomes_a_walk(trusted: Trusted) -> None:
    """By a role's name or GUID, at or below a scope; a twin is a walk of its own that may only read."""
    before = trusted.company.state()
    (walk,) = (await _checked(trusted, scope=BELOW, role=CONTRIBUTOR.upper())).federations
    assert (walk.mode, walk.new_name, walk.scope, walk.connection) == (Mode.VEND, "new", BELOW, "")
    assert (walk.requested_by, walk.grants_roles, walk.approved_with) == ("ada@contoso.example", True, "")
    first, twin = (await _checked(trusted, project=trusted.company.scenario.project.upper(), twin=True)).federations
    assert {one.project for one in (first, twin)} == {trusted.company.scenario.project}
    assert (first.new_name, first.role) == ("new", "Contributor")
    assert (twin.new_name, twin.role, twin.scope, twin.approved_with) == ("new-readonly", "Reader", SHOP, first.id)
    assert twin.id != first.id
    assert trusted.company.state() == before


async def test_what_settings_do_not_allow_is_refused(trusted: Trusted) -> None:
    """Each field is named, with what was expected; roles that grant all others are refused by name and by GUID."""
    refused: list[tuple[dict[str, Any], str, str]] = [
        *(({"role": role}, "role", "no role that can grant all others") for role in (*REFUSED, *REFUSED.values())),
        ({"role": "Website Contributor"}, "role", CONTRIBUTOR),
        ({"role": "No such role"}, "role", "No such role"),
        ({"scope": f"{SHOP}s"}, "scope", "REKEY_SCOPES"),
        ({"scope": IDENTITIES}, "scope", "REKEY_VENDING.scopes"),
        ({"scope": SUBSCRIPTION}, "scope", "REKEY_SCOPES"),
        ({"project": "Elsewhere"}, "project", "REKEY_SCOPES"),
        ({"name": "n" * 250, "twin": True}, "name", "at most 247 characters"),
    ]
    for changes, field, said in refused:
        code, message = await _code(trusted, **changes)
        assert code in {"out-of-scope", "bad-input"}, message
        assert message.startswith(f"{field}: got")
        assert said in message


async def test_a_twin_takes_the_role_reader_in_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> None:
    """The answer names what is missing; and a mode that is switched off is refused, too."""
    settings = vends(roles=[CONTRIBUTOR])
    async with recording(tmp_path, monkeypatch, azurite.connection_string, **settings) as running:
        code, message = await _code(running, twin=True)
        assert (code, READER in message, "REKEY_VENDING.roles" in message) == ("out-of-scope", True, True)
        clients = running.company.clients
        federating = replace(clients.settings.federating, modes=(Mode.SIDE_BY_SIDE,))
        clients.settings = replace(clients.settings, federating=federating)
        code, message = await _code(running)
        assert (code, "REKEY_FEDERATION" in message) == ("out-of-scope", True)


async def test_missing_rights_are_found_before_anybody_is_asked(trusted: Trusted) -> None:
    """For the identity's resource group, the scope, and the project; each with what grants it."""
    arm = trusted.company.azure.cloud.services["arm"]
    assert isinstance(arm, ResourceManager)
    for role, place in (
        ("Managed Identity Contributor", IDENTITIES),
        ("Role Based Access Control Administrator", SHOP),
    ):
        kept = list(arm.access.assignments)
        arm.access.assignments[:] = [one for one in kept if one.role != role]
        code, message = await _code(trusted)
        assert (code, place in message, "az role assignment create" in message) == ("not-allowed", True, True)
        arm.access.assignments[:] = kept
    await _may(trusted, "view-builds")
    code, message = await _code(trusted)
    assert (code, "Creator" in message) == ("not-creator", True)


async def test_a_name_that_is_taken_is_refused_unless_it_was_vended(trusted: Trusted) -> None:
    """Somebody else's connection is left alone; one that a former request made is what was asked for."""
    await trusted.connection("NEW")
    code, message = await _code(trusted)
    assert (code, "'new'" in message.lower() or "new" in message) == ("name-taken", True)
    walk = await trusted.recorded(trusted.vended(new_name="new"))
    label = names.label(trusted.company.settings.deployment, walk.id)
    trusted.endpoint("NEW").document["description"] = f"For the shop\n{label}"
    assert (await _code(trusted))[0] == "name-taken"
    await trusted.company.desk.federations().close(walk.id, "done")
    read = await _checked(trusted)
    assert (read.federations, "new" in read.nothing_to_do) == ((), True)
    (twin,) = (await _checked(trusted, twin=True)).federations
    assert (twin.new_name, twin.approved_with) == ("new-readonly", "")
