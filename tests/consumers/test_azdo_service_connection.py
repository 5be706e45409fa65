"""Service connections of Azure DevOps against the contract, and what only they have."""

from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from local.azure.azuredevops_state import Endpoint, Permission
from rekey.consumers.azdo_service_connection import AzdoServiceConnection
from rekey.errors import NotYetError, PermanentError
from rekey.model import ConsumerTarget, CredentialRef, Rotation
from tests.consumers.contract import Forgotten, ProvingContract, Wire
from tests.consumers.handed import Handed
from tests.core.binding import Corpus
from tests.core.company import Company

SCHEME = "azdo-service-connection"


def endpoint(company: Company) -> Endpoint:
    """Return the service connection as Azure DevOps keeps it."""
    (project,) = company.azure.cloud.azuredevops.organizations[company.scenario.organization].projects.values()
    (found,) = project.endpoints.values()
    return found


def _no_member(company: Company) -> None:
    company.azure.cloud.azuredevops.organizations[company.scenario.organization].members.clear()


def _no_rights(company: Company) -> None:
    (rights,) = company.azure.cloud.azuredevops.organizations[company.scenario.organization].members.values()
    for project in rights:
        rights[project] = Permission.NONE


def _only_user(company: Company) -> None:
    (rights,) = company.azure.cloud.azuredevops.organizations[company.scenario.organization].members.values()
    for project in rights:
        rights[project] = Permission.USE | Permission.VIEW


def _other_application(company: Company) -> None:
    endpoint(company).parameters["serviceprincipalid"] = "99999999-0000-4000-8000-000000000001"


def _sign_in_by(company: Company, scheme: str) -> None:
    endpoint(company).document["authorization"]["scheme"] = scheme


def _personal(company: Company) -> None:
    _sign_in_by(company, "UsernamePassword")


def _certificate(company: Company) -> None:
    endpoint(company).parameters["authenticationType"] = "spnCertificate"


def _automatic(company: Company) -> None:
    endpoint(company).document["data"]["creationMode"] = "Automatic"


class TestAzdoServiceConnection(ProvingContract):
    """The contract."""

    kind = AzdoServiceConnection
    corpus = Corpus(
        scope={"organizations": {"Contoso": ["Shop", "Web Shop"]}},
        foreign_scope={"organizations": {"fabrikam": ["Shop"], "contoso": ["Theirs"]}},
        good={
            f"{SCHEME}://Contoso/Shop/deploy": f"{SCHEME}://contoso/Shop/deploy",
            f"{SCHEME}://contoso/Web%20Shop/to%20production": f"{SCHEME}://contoso/Web%20Shop/to%20production",
            f"{SCHEME}://contoso/Shop/d%65ploy": f"{SCHEME}://contoso/Shop/deploy",
            f"{SCHEME}://contoso/Shop/gr%C3%BCn": f"{SCHEME}://contoso/Shop/gr%C3%BCn",
        },
        malformed=(f"{SCHEME}://contoso/Shop", f"{SCHEME}://contoso/Shop/", f"{SCHEME}://contoso/Shop/%20deploy"),
        foreign=f"{SCHEME}://fabrikam/Shop/deploy",
    )
    forgotten = (
        Forgotten(_no_member, "unauthorized", "Add the app's identity to the Azure DevOps organization"),
        Forgotten(_no_rights, "no-connection", "role Administrator"),
        Forgotten(_only_user, "not-administrator", "role Administrator"),
        Forgotten(_other_application, "other-application", "Correct the secret's tags"),
        Forgotten(_personal, "no-key-here", "Remove it from the tags"),
        Forgotten(_certificate, "no-key-here", "Remove it from the tags"),
        Forgotten(_automatic, "created-automatically", "federation"),
    )
    writes = Wire("azuredevops", "PUT")

    def held(self, company: Company) -> str:
        """Return the stored key."""
        return endpoint(company).secrets["serviceprincipalkey"]

    def blank(self, company: Company, state: dict[str, Any]) -> None:
        """Take out the key, the modification date and the list of updates."""
        organization = state["azuredevops"]["organizations"][company.scenario.organization]
        told = organization["projects"][company.scenario.project]["endpoints"][company.scenario.connection]
        del told["secrets"]["serviceprincipalkey"], told["document"]["modificationDate"], told["updates"]

    def add_unknown(self, company: Company) -> None:
        """Add fields at every level."""
        document = endpoint(company).document
        document["fromTheFuture"] = {"a": [1, None, {"b": "ü"}]}
        document["data"]["fromTheFuture"] = "x"
        document["authorization"]["fromTheFuture"] = False
        document["authorization"]["parameters"]["fromTheFuture"] = "y"

    def delete(self, company: Company) -> None:
        """Delete the connection."""
        (project,) = company.azure.cloud.azuredevops.organizations[company.scenario.organization].projects.values()
        project.endpoints.clear()


async def _inspected(company: Company) -> tuple[AzdoServiceConnection, Rotation, ConsumerTarget]:
    kind, rotation = AzdoServiceConnection(company.clients), await company.rotation()
    ref = rotation.policy.consumers[0]
    found = await kind.inspect(rotation, ref.uri)
    return kind, rotation, ConsumerTarget(ref.kind, ref.uri, found.object_id)


async def test_connection_that_became_anothers_is_left_alone(company: Company) -> None:
    """A connection that got another application between preflight and update doesn't get this one's key."""
    kind, rotation, target = await _inspected(company)
    _other_application(company)
    before = company.state()
    with pytest.raises(PermanentError) as caught:
        await kind.update(rotation, target, Handed("new"))
    assert caught.value.code == "other-application"
    assert company.state() == before


async def test_what_azure_devops_says_is_not_repeated(company: Company) -> None:
    """Of a failed sign-in only Entra's code is told, for the rest may quote what it likes."""
    kind, rotation, target = await _inspected(company)
    wrong = Handed("never issued")
    await kind.update(rotation, target, wrong)
    with pytest.raises(NotYetError) as caught:
        await kind.confirm(rotation, target, wrong)
    said = "the secret that was presented is none of the application's, or not known everywhere yet (AADSTS7000215)"
    assert caught.value.message.startswith(f"Azure DevOps could not sign in through {target.uri}: {said}. ")


async def test_names_with_spaces_and_umlauts_reach_the_service(company: Company) -> None:
    """A name that needs encoding in a URL is found under exactly that name."""
    organization, application = company.scenario.organization, company.scenario.application
    name = "grün to (production) = 100"
    await company.azure.seed(
        {
            "organizations": {
                organization: {
                    "projects": {"Web Shop": {"endpoints": {name: {"application": application}}}},
                    "members": {"rekey": {"projects": {"Web Shop": ["administer"]}}},
                }
            }
        }
    )
    uri = f"{SCHEME}://{organization}/Web%20Shop/{quote(name)}"
    found = await AzdoServiceConnection(company.clients).inspect(await company.rotation(), uri)
    project = company.azure.cloud.azuredevops.organizations[organization].projects["web shop"]
    assert list(project.endpoints) == [found.object_id]


@pytest.mark.parametrize(
    ("scheme", "said"),
    [("WorkloadIdentityFederation", "workload identity federation"), ("ManagedServiceIdentity", "managed identity")],
)
async def test_connection_without_a_secret_needs_no_key(company: Company, scheme: str, said: str) -> None:
    """It says how it signs in now, at the first look as well as when it was converted since, and nothing is written."""
    kind, rotation, target = await _inspected(company)
    _sign_in_by(company, scheme)
    before = company.state()
    found = await kind.inspect(rotation, target.uri)
    assert said in found.keyless
    assert found.object_id == target.object_id
    assert await kind.update(rotation, target, Handed("new")) == found.keyless
    assert company.state() == before


async def test_way_back_is_told(company: Company) -> None:
    """One that can be converted back says until when: by then its old key is worth something."""
    kind, rotation, target = await _inspected(company)
    _sign_in_by(company, "WorkloadIdentityFederation")
    endpoint(company).document["data"]["revertSchemeDeadline"] = "2030-01-08T09:30:00.1234567Z"
    assert "until 2030-01-08 09:30 UTC" in (await kind.inspect(rotation, target.uri)).keyless


async def test_secret_of_another_kind_never_was_its_key(company: Company) -> None:
    """A storage key whose tags name a federated connection is a mistake, and no reason to stop rotating the key."""
    kind, rotation, target = await _inspected(company)
    _sign_in_by(company, "WorkloadIdentityFederation")
    account = CredentialRef("storage-account-key", "/subscriptions/1/providers/microsoft.storage/storageaccounts/shop")
    mistaken = replace(rotation, policy=replace(rotation.policy, credential=account))
    with pytest.raises(PermanentError) as caught:
        await kind.inspect(mistaken, target.uri)
    assert caught.value.code == "no-key-here"


async def test_a_missing_role_is_no_wrong_key(company: Company) -> None:
    """Who signs in and then may not read the subscription holds the new key: it is confirmed, and the role is told."""
    role = {"identity": company.scenario.application, "role": "Reader", "scope": "/subscriptions/2/resourceGroups/x"}
    await company.azure.seed({"role_assignments": [role]})
    kind, rotation, target = await _inspected(company)
    handed = Handed(company.new_password())
    await kind.update(rotation, target, handed)
    assert "has no role on what it asked for" in await kind.confirm(rotation, target, handed)
