"""What is asked for becomes a walk, or is refused with a sentence that says why."""

from typing import Any
from uuid import uuid4

import pytest

from rekey.errors import InputError, NotYetError, PermanentError, RekeyError, ScopeError
from rekey.model.federation import Mode, Target
from rekey.model.policy import Span
from tests.federation.asking import FEDERATED, Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_connection_with_a_secret_becomes_a_walk(here: Asking) -> None:
    """The walk knows the connection by id, its application, and the managed secret that its key comes from."""
    scenario = here.company.scenario
    found = await here.walk(scenario.connection.upper(), soak="P1D")
    assert found.old
    assert (found.connection, found.project, found.soak) == (scenario.connection, scenario.project, Span(seconds=86400))
    assert found.old.id == here.endpoint().id
    assert found.old.owner_project == here.endpoint().project_ids[0]
    assert found.old.object_id == here.company.application.object_id
    assert (found.old.way, found.old.issuer, found.old.automatic) == ("secret", "", False)
    assert found.old.managed_by == (f"{scenario.vault}/{scenario.secret}",)
    assert found.new_name == ""


async def test_a_new_connection_gets_a_name_that_is_free(here: Asking) -> None:
    """By default the old one's with an ending; one that is taken, in any case, or too long, is refused."""
    name = here.company.scenario.connection
    assert (await here.walk(mode=Mode.SIDE_BY_SIDE)).new_name == f"{name}-federated"
    await here.connection("Taken")
    with pytest.raises(PermanentError, match="has a connection 'taken' already"):
        await here.read(mode=Mode.SIDE_BY_SIDE, name="taken")
    await here.connection("l" * 250)
    with pytest.raises(InputError, match=r"name: got .*at most 256 characters"):
        await here.read("l" * 250, mode=Mode.SIDE_BY_SIDE)


async def test_what_needs_no_secret_is_left_alone(here: Asking) -> None:
    """Federated and managed identity: nothing to do; a repair wants the federated one."""
    await here.connection("agents", scheme="ManagedServiceIdentity")
    await here.connection("done", scheme=FEDERATED)
    for mode in (Mode.IN_PLACE, Mode.SIDE_BY_SIDE):
        for name in ("agents", "done"):
            read = await here.read(name, mode)
            assert read.federations == ()
            assert name in read.nothing_to_do
    walk = await here.walk("done", Mode.REPAIR)
    assert walk.old
    assert walk.old.issuer
    assert walk.old.subject == here.endpoint("done").parameters["workloadIdentityFederationSubject"]


async def test_a_managed_identity_is_known_by_its_arm_id(here: Asking) -> None:
    """Settings bind it as a resource: the walk has its ARM id; where they don't it is out of scope."""
    await here.company.azure.seed({"identities": {"deployer": {}}})
    await here.connection("mine", identity="deployer", scheme=FEDERATED)
    with pytest.raises(ScopeError, match="REKEY_SCOPES"):
        await here.read("mine", Mode.REPAIR)
    subscription = here.company.azure.cloud.directory.identity("deployer").arm_id.split("/resource")[0]
    here.bind(resources=[subscription])
    walk = await here.walk("mine", Mode.REPAIR)
    assert walk.old
    assert walk.old.identity.lower() == here.company.azure.cloud.directory.identity("deployer").arm_id.lower()


REFUSED: dict[str, tuple[dict[str, Any], Mode]] = {
    "not-azurerm": ({"type": "dockerregistry"}, Mode.IN_PLACE),
    "certificate": ({"certificate": True}, Mode.IN_PLACE),
    "publish-profile": ({"scheme": "PublishProfile"}, Mode.IN_PLACE),
    "not-federated": ({}, Mode.REPAIR),
    "disabled": ({"extra": {"isDisabled": True}}, Mode.IN_PLACE),
    "other-tenant": (
        {
            "extra": {
                "authorization": {
                    "scheme": "ServicePrincipal",
                    "parameters": {"tenantid": str(uuid4()), "serviceprincipalid": str(uuid4())},
                }
            }
        },
        Mode.IN_PLACE,
    ),
}


async def test_what_cannot_be_converted_is_refused(here: Asking) -> None:
    """Each with a code of its own, the connection's name, and what to do instead."""
    for number, (code, (body, mode)) in enumerate(REFUSED.items()):
        await here.connection(f"c{number}", **body)
        with pytest.raises(PermanentError, match=f"'c{number}'") as refused:
            await here.read(f"c{number}", mode)
        assert refused.value.code == code
        assert refused.value.what_to_do
    with pytest.raises(PermanentError, match="has no connection 'nowhere'"):
        await here.read("nowhere")


ASKED: list[tuple[dict[str, Any], type[RekeyError], str]] = [
    ({"mode": Mode.SIDE_BY_SIDE}, ScopeError, "mode: got 'side-by-side'.*REKEY_DUTY is vending"),
    ({"mode": Mode.VEND}, InputError, "mode: got 'vend'"),
    ({"soak": "PT0S"}, InputError, "soak: got 'PT0S', expected .* from PT1S to P30D"),
    ({"soak": "P31D"}, InputError, "soak: got 'P31D'"),
    ({"project": "Elsewhere"}, ScopeError, "project: got .*Elsewhere"),
    ({"organization": "elsewhere"}, ScopeError, "project: got 'elsewhere/"),
]


@pytest.mark.parametrize(("asked", "kind", "said"), ASKED)
async def test_bad_input_names_field_value_and_what_was_expected(
    here: Asking, asked: dict[str, Any], kind: type[RekeyError], said: str
) -> None:
    """Before anything is asked of Azure DevOps."""
    here = Asking.of(here.company, Mode.IN_PLACE, Mode.REPAIR, scopes=here.clients.settings.scopes)
    before = await here.company.requests("azuredevops")
    with pytest.raises(kind, match=said):
        await here.read(**asked)
    assert await here.company.requests("azuredevops") == before


async def test_an_application_of_another_scope_is_refused(here: Asking) -> None:
    """Whoever may name a project may not convert what signs in as somebody else's application, nor use an identity."""
    identity = "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/a/providers/b/c/d"
    with pytest.raises(ScopeError, match="identity: got"):
        await here.read(mode=Mode.SIDE_BY_SIDE, target=Target.MANAGED_IDENTITY, identity=identity)
    here.bind(applications=[str(uuid4())])
    with pytest.raises(ScopeError, match=r"application: got .*together with"):
        await here.read()


async def test_a_shared_connection_is_asked_for_where_it_belongs(here: Asking) -> None:
    """From a project that doesn't own it: refused, and the owner is named."""
    scenario = here.company.scenario
    other = {"projects": {"Other": {}}, "members": {"rekey": {"projects": {"Other": ["administer"]}}}}
    await here.company.azure.seed({"organizations": {scenario.organization: other}})
    await here.connection("shared", shared_with=["Other"])
    here.bind(organizations={scenario.organization: [scenario.project, "Other"]})
    with pytest.raises(PermanentError) as refused:
        await here.read("shared", project="Other")
    assert refused.value.code == "not-the-owner"
    assert scenario.project in refused.value.message
    walk = await here.walk("shared")
    assert walk.old
    assert walk.old.shared_with == ("Other",)


async def test_a_new_connection_comes_only_where_settings_allow_it(here: Asking) -> None:
    """Side by side it is made in every project that has the old one: each has to be in the same scope."""
    scenario = here.company.scenario
    await here.company.azure.seed({"organizations": {scenario.organization: {"projects": {"Other": {}}}}})
    await here.connection("shared", shared_with=["Other"])
    assert (await here.walk("shared")).old
    with pytest.raises(ScopeError, match=r"together with .*/Other"):
        await here.read("shared", Mode.SIDE_BY_SIDE)


async def test_nothing_is_converted_while_its_managed_secrets_are_unknown(here: Asking) -> None:
    """A vault that can't be listed may hold the key of it; beside it or after it nothing depends on that."""
    vault = here.company.azure.cloud.keyvault.vaults[here.company.scenario.vault]
    roles, vault.roles = vault.roles, {}
    try:
        with pytest.raises(NotYetError, match=here.company.scenario.vault):
            await here.read()
        assert (await here.walk(mode=Mode.SIDE_BY_SIDE)).old
    finally:
        vault.roles = roles
