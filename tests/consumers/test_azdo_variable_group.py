"""Secret variables of Azure DevOps' variable groups against the contract, and what only they have."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from local.azure.azuredevops_rights import LIBRARY, Library
from local.azure.azuredevops_state import Organization
from local.azure.azuredevops_variable_groups_state import VariableGroup
from rekey.azure_devops_groups import VariableGroups
from rekey.consumers.azdo_variable_group import AzdoVariableGroup
from rekey.errors import NotYetError, PermanentError
from rekey.model import ConsumerTarget, Rotation
from tests.azure.contracts import needs_contracts, validate_request
from tests.consumers.contract import ConsumerContract, Forgotten, Wire
from tests.consumers.handed import Handed
from tests.core.binding import Corpus
from tests.core.company import Company
from tests.core.company import company as running

SCHEME = "azdo-variable-group"
SPEC = "azure-devops-pipelines/specification/distributedTask/7.1/taskAgent.json"
GROUP = "deploy settings"
VARIABLE = "CLIENT_SECRET"


def organization(company: Company) -> Organization:
    """Return the company's organisation as Azure DevOps keeps it."""
    return company.azure.cloud.azuredevops.organizations[company.scenario.organization]


def group(company: Company, name: str = GROUP) -> VariableGroup:
    """Return a variable group as Azure DevOps keeps it."""
    (project,) = organization(company).projects.values()
    (found,) = [group for group in project.groups.values() if group.name == name]
    return found


def place(company: Company, name: str = GROUP, variable: str = VARIABLE) -> str:
    """Return a variable's URI."""
    path = f"{company.scenario.organization}/{company.scenario.project}/{name}/{variable}"
    return f"{SCHEME}://{path}".replace(" ", "%20")


async def seed(company: Company, **groups: Any) -> None:
    """Give the company's project variable groups, and the app's identity the right to edit them."""
    scenario = company.scenario
    rights = {scenario.project: ["administer", "library-administrator"]}
    body = {
        "members": {"rekey": {"projects": rights}},
        "projects": {scenario.project: {"variable_groups": groups}},
    }
    await company.azure.seed({"organizations": {scenario.organization: body}})


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """Return a company whose pipelines read the password from a variable group."""
    async with running(tmp_path, monkeypatch) as made:
        secret = {"value": {"password_of": made.scenario.application}, "secret": True}
        other = {"value": "another team's secret", "secret": True}
        variables = {VARIABLE: secret, "OTHER": other, "REGION": {"value": "westeurope", "read_only": True}}
        await seed(made, **{GROUP: {"variables": variables}})
        yield made


def _no_member(company: Company) -> None:
    organization(company).members.clear()


def _no_rights(company: Company) -> None:
    organization(company).granted.clear()


def _only_user(company: Company) -> None:
    for key in organization(company).granted:
        if key[2] == LIBRARY:
            organization(company).granted[key] = Library.VIEW | Library.USE


def _no_variable(company: Company) -> None:
    del group(company).document["variables"][VARIABLE]


def _plain(company: Company) -> None:
    del group(company).document["variables"][VARIABLE]["isSecret"]


def _unknown_type(company: Company) -> None:
    group(company).document["type"] = "FromTheFuture"


def _other_vault(company: Company) -> None:
    group(company).document |= {"type": "AzureKeyVault", "providerData": {"vault": "somebody-elses"}}


class TestAzdoVariableGroup(ConsumerContract):
    """The contract."""

    kind = AzdoVariableGroup
    corpus = Corpus(
        scope={"organizations": {"Contoso": ["Shop", "Web Shop"]}},
        foreign_scope={"organizations": {"fabrikam": ["Shop"], "contoso": ["Theirs"]}},
        good={
            f"{SCHEME}://Contoso/Shop/deploy/KEY": f"{SCHEME}://contoso/Shop/deploy/KEY",
            f"{SCHEME}://contoso/Web%20Shop/to%20production/a.b": f"{SCHEME}://contoso/Web%20Shop/to%20production/a.b",
            f"{SCHEME}://contoso/Shop/d%65ploy/K%45Y": f"{SCHEME}://contoso/Shop/deploy/KEY",
        },
        malformed=(
            f"{SCHEME}://contoso/Shop/deploy",
            f"{SCHEME}://contoso/Shop/deploy/",
            f"{SCHEME}://contoso/Shop/deploy/KEY?branch=main",
            f"{SCHEME}://contoso/Shop/deploy/KEY?",
            f"{SCHEME}://contoso/Shop/deploy/%20KEY",
        ),
        foreign=f"{SCHEME}://fabrikam/Shop/deploy/KEY",
    )
    forgotten = (
        Forgotten(_no_member, "unauthorized", "Add the app's identity to the Azure DevOps organization"),
        Forgotten(_no_rights, "no-variable-group", "role Administrator on the variable group"),
        Forgotten(_only_user, "not-administrator", "role Administrator on the variable group"),
        Forgotten(_no_variable, "no-variable", "Add it as a secret variable"),
        Forgotten(_plain, "not-secret", "Change its type to secret"),
        Forgotten(_unknown_type, "unknown-group-type", "Correct the secret's tags"),
        Forgotten(_other_vault, "other-secret", "Correct the secret's tags"),
    )
    writes = Wire("azuredevops", "PUT")

    def uri(self, rotation: Rotation) -> str:
        """Return the variable's URI."""
        connection = rotation.policy.consumers[0].uri.removeprefix("azdo-service-connection://")
        organization_name, project, _ = connection.split("/")
        return f"{SCHEME}://{organization_name}/{project}/deploy%20settings/{VARIABLE}"

    def held(self, company: Company) -> str:
        """Return the stored value."""
        return group(company).secrets[VARIABLE]

    def blank(self, company: Company, state: dict[str, Any]) -> None:
        """Take out the value, who changed the group when, and the list of updates."""
        told = state["azuredevops"]["organizations"][company.scenario.organization]
        told = told["projects"][company.scenario.project]["variable_groups"][GROUP]
        del told["secrets"][VARIABLE], told["updates"]
        del told["document"]["modifiedOn"], told["document"]["modifiedBy"]

    def add_unknown(self, company: Company) -> None:
        """Add fields at every level."""
        document = group(company).document
        document["fromTheFuture"] = {"a": [1, None, {"b": "ü"}]}
        document["variables"][VARIABLE]["fromTheFuture"] = "x"
        document["variables"]["REGION"]["fromTheFuture"] = False
        document["variableGroupProjectReferences"][0]["fromTheFuture"] = "y"

    def delete(self, company: Company) -> None:
        """Delete the group."""
        (project,) = organization(company).projects.values()
        project.groups.clear()


async def _inspected(company: Company, uri: str = "") -> tuple[AzdoVariableGroup, Rotation, ConsumerTarget]:
    kind, rotation = AzdoVariableGroup(company.clients), await company.rotation()
    uri = uri or place(company)
    found = await kind.inspect(rotation, uri)
    return kind, rotation, ConsumerTarget(SCHEME, uri, found.object_id)


@needs_contracts
async def test_request_keeps_to_the_specification(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written back is what the published specification takes, every secret but ours without value."""
    sent: list[dict[str, Any]] = []
    replace = VariableGroups.replace

    async def noted(self: VariableGroups, group: dict[str, Any]) -> dict[str, Any]:
        sent.append(group)
        return await replace(self, group)

    monkeypatch.setattr(VariableGroups, "replace", noted)
    kind, rotation, target = await _inspected(company)
    await kind.update(rotation, target, Handed("new value"))
    (body,) = sent
    validate_request(SPEC, "Variablegroups_Update", body, {"api-version": "7.1"})
    secrets = {name: v["value"] for name, v in body["variables"].items() if v.get("isSecret")}
    assert secrets == {VARIABLE: "new value", "OTHER": None}


async def test_other_secrets_of_the_group_are_kept_and_spoken_of(company: Company) -> None:
    """The owners are told that other secrets are sent without value; those, and what is secret at all, stay."""
    kind, rotation, target = await _inspected(company)
    (remark,) = (await kind.inspect(rotation, target.uri)).remarks
    assert remark == f"{target.uri}: the other secrets of the group (1) are sent without value, which keeps them."
    await kind.update(rotation, target, Handed("new value"))
    assert group(company).secrets == {VARIABLE: "new value", "OTHER": "another team's secret"}
    assert {n for n, v in group(company).document["variables"].items() if v.get("isSecret")} == {VARIABLE, "OTHER"}


async def test_service_that_wants_every_value_is_obeyed_by_changing_nothing(company: Company) -> None:
    """Should Azure DevOps refuse secrets without value, that is an error for people, and nothing was changed."""
    kind, rotation, target = await _inspected(company)
    organization(company).null_variable = "refuses"
    before = company.state()
    with pytest.raises(PermanentError) as caught:
        await kind.update(rotation, target, Handed("new value"))
    assert caught.value.code == "refused"
    assert company.state() == before


async def test_plain_variable_never_gets_the_value(company: Company) -> None:
    """A variable that stopped being secret between preflight and update is left alone."""
    kind, rotation, target = await _inspected(company)
    _plain(company)
    before = company.state()
    with pytest.raises(PermanentError) as caught:
        await kind.update(rotation, target, Handed("new value"))
    assert caught.value.code == "not-secret"
    assert company.state() == before


async def test_variable_is_found_in_any_case_and_keeps_its_spelling(company: Company) -> None:
    """Variables compare without case, as in Azure DevOps."""
    kind, rotation, target = await _inspected(company, place(company, variable=VARIABLE.lower()))
    await kind.update(rotation, target, Handed("new value"))
    assert group(company).secrets[VARIABLE] == "new value"
    assert VARIABLE.lower() not in group(company).document["variables"]


async def test_loss_of_another_variable_is_noticed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """If anything visible differs after the write, the consumer isn't done."""
    kind, rotation, target = await _inspected(company)
    whole = VariableGroup.shown

    def forgetful(one: VariableGroup) -> dict[str, Any]:
        shown = whole(one)
        if one.updates:
            del shown["variables"]["REGION"]
        return shown

    monkeypatch.setattr(VariableGroup, "shown", forgetful)
    handed = Handed("new value")
    with pytest.raises(NotYetError) as caught:
        await kind.update(rotation, target, handed)
    assert (caught.value.code, "variables changed" in caught.value.message) == ("changed-meanwhile", True)
    with pytest.raises(NotYetError):
        await kind.confirm(rotation, target, handed)


async def test_confirmation_says_what_cannot_be_known(company: Company) -> None:
    """It is told that the value can't be read back, and whether somebody changed the group since."""
    kind, rotation, target = await _inspected(company)
    handed = Handed("new value")
    with pytest.raises(NotYetError):
        await kind.confirm(rotation, target, handed)
    await kind.update(rotation, target, handed)
    said = await kind.confirm(rotation, target, handed)
    assert "not changed since" in said
    assert "only a run can prove it" in said
    company.settle(120)
    await kind.update(rotation, target, Handed("of another rotation"))
    assert "changed again at" in await kind.confirm(rotation, target, handed)


async def test_answer_from_before_the_write_confirms_nothing(company: Company) -> None:
    """A read that lags behind the write is looked at again later."""
    kind, rotation, target = await _inspected(company)
    handed = Handed("new value")
    await kind.update(rotation, target, handed)
    group(company).document["modifiedOn"] = "2020-01-01T00:00:00.1234567Z"
    with pytest.raises(NotYetError) as caught:
        await kind.confirm(rotation, target, handed)
    assert caught.value.code == "not-confirmed"


async def test_group_of_the_same_vault_needs_nothing_and_says_so(company: Company) -> None:
    """A group that reads the vault itself is never written; preflight and confirmation say why."""
    scenario = company.scenario
    variables = {scenario.secret: {"secret": True}}
    await seed(company, vaulted={"type": "AzureKeyVault", "vault": scenario.vault, "variables": variables})
    uri = place(company, "vaulted", scenario.secret)
    kind, rotation, target = await _inspected(company, uri)
    before, handed = company.state(), Handed("new value")
    says = f"the variable group reads vault {scenario.vault} itself: its next run gets the new version"
    assert (await kind.inspect(rotation, uri)).remarks == (says,)
    await kind.update(rotation, target, handed)
    assert await kind.confirm(rotation, target, handed) == says
    assert company.state() == before


async def test_sharing_is_spoken_of(company: Company) -> None:
    """That other projects get the value too is told before anything changes."""
    scenario = company.scenario
    body = {"variables": {"K": {"value": "x", "secret": True}}, "shared_with": ["Elsewhere"]}
    await company.azure.seed({"organizations": {scenario.organization: {"projects": {"Elsewhere": {}}}}})
    await seed(company, shared=body)
    kind, rotation = AzdoVariableGroup(company.clients), await company.rotation()
    (remark,) = (await kind.inspect(rotation, place(company, "shared", "K"))).remarks
    assert "shared by 2 projects" in remark
