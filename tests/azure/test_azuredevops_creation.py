"""Azure DevOps' connections that a program makes and deletes, as Microsoft specifies it."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest
import pytest_asyncio

from tests.azure.contracts import needs_contracts, validate_definition, validate_request
from tests.azure.simulated import Answer, Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
NAMESPACE = "49b48001-ca20-4adc-8111-5b60c903a50c"
SPEC = "azure-devops/specification/serviceEndpoint/7.1/serviceEndpoint.json"
ENDPOINTS = "/_apis/serviceendpoint/endpoints"
ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """An organisation with members of every role on connections, and one connection."""
    members = {who: {"projects": {"Web": [who], "Other": [who]}} for who in ("administer", "create", "use")}
    with pytest.MonkeyPatch.context() as patch:
        async with simulated(tmp_path_factory.mktemp("azure"), patch) as running:
            await running.seed(
                {
                    "identities": {"administer": {}, "create": {}, "use": {}, "deployer": {}},
                    "applications": {"app": {"passwords": [{}]}},
                    "organizations": {
                        "contoso": {
                            "members": members,
                            "projects": {"Web": {"endpoints": {"taken": {"application": "app"}}}, "Other": {}},
                        }
                    },
                }
            )
            yield running


async def call(
    azure: Simulated, method: str, path: str, who: str = "create", *, body: Any = None, version: str = "7.1"
) -> Answer:
    """Send one request to the organisation."""
    separator = "&" if "?" in path else "?"
    where = f"{azure.cloud.url('azuredevops')}/contoso{path}{separator}api-version={version}"
    return await azure.call(method, where, token=azure.token(who, RESOURCE), body=body)


def wanted(azure: Simulated, name: str, *projects: str) -> dict[str, Any]:
    """Return the body that makes a federated connection for the application."""
    ids = azure.cloud.azuredevops.organizations["contoso"].existing
    return {
        "name": name,
        "type": "azurerm",
        "url": "https://management.azure.com/",
        "description": "rekey/test",
        "data": {
            "environment": "AzureCloud",
            "scopeLevel": "Subscription",
            "subscriptionId": SUBSCRIPTION,
            "subscriptionName": "one",
            "creationMode": "Manual",
        },
        "authorization": {
            "scheme": "WorkloadIdentityFederation",
            "parameters": {
                "tenantid": azure.cloud.tenant,
                "serviceprincipalid": azure.cloud.directory.application("app").app_id,
            },
        },
        "serviceEndpointProjectReferences": [
            {"projectReference": {"id": ids(one).id, "name": one}, "name": name} for one in projects or ("Web",)
        ],
    }


async def make(azure: Simulated, name: str, *projects: str, who: str = "create") -> Any:
    """Make a connection."""
    answer = await call(azure, "POST", ENDPOINTS, who, body=wanted(azure, name, *projects))
    assert answer.status == 200, answer.body
    return answer.body


async def verify(azure: Simulated, endpoint: str, who: str = "create") -> tuple[str, str]:
    """Let Azure DevOps test a connection; return the inner status and message."""
    source = {"dataSourceDetails": {"dataSourceName": "TestConnection"}, "resultTransformationDetails": {}}
    path = f"/Web/_apis/serviceendpoint/endpointproxy?endpointId={endpoint}"
    answer = await call(azure, "POST", path, who, body=source)
    return answer.body["statusCode"], answer.body["errorMessage"]


@needs_contracts
async def test_new_connection_tells_its_own_issuer_and_subject(azure: Simulated) -> None:
    """The service adds who the connection says to be, in a shape that is specified; a body's own claims don't count."""
    body = wanted(azure, "made")
    body["authorization"]["parameters"][SUBJECT] = "of my own"
    validate_request(SPEC, "Endpoints_Create", body, {"api-version": "7.1"})
    answer = await call(azure, "POST", ENDPOINTS, body=body)
    validate_definition(SPEC, "ServiceEndpoint", answer.body)
    parameters, organization = answer.body["authorization"]["parameters"], azure.cloud.azuredevops.organizations
    assert parameters[ISSUER] == f"https://login.microsoftonline.com/{azure.cloud.tenant}/v2.0"
    assert parameters[SUBJECT].endswith(f"/sc/{organization['contoso'].id}/{answer.body['id']}")
    assert (answer.body["description"], answer.body["isShared"]) == ("rekey/test", False)
    assert (await call(azure, "GET", f"/Web{ENDPOINTS}/{answer.body['id']}")).body == answer.body
    assert answer.body["createdBy"]["id"] == azure.cloud.directory.identity("create").object_id


async def test_whoever_makes_a_connection_administers_that_one(azure: Simulated) -> None:
    """A creator may change, test and delete what it made, and nothing that somebody else made."""
    mine, taken = await make(azure, "of mine"), azure.cloud.azuredevops.organizations["contoso"]
    other = next(e.id for e in taken.existing("Web").endpoints.values() if e.document["name"] == "taken")
    project = taken.existing("Web").id
    for endpoint, allowed in ((mine["id"], True), (other, False)):
        token = f"endpoints/{project}/{endpoint}"
        answer = await call(azure, "GET", f"/_apis/permissions/{NAMESPACE}/2?tokens={token}")
        assert answer.body["value"] == [allowed]
    assert (await verify(azure, mine["id"]))[0] == "badRequest"
    refused = await call(azure, "DELETE", f"{ENDPOINTS}/{other}?projectIds={project}")
    assert (refused.status, refused.body["typeKey"]) == (403, "AccessCheckException")
    assert (await call(azure, "DELETE", f"{ENDPOINTS}/{mine['id']}?projectIds={project}")).status == 204


@pytest.mark.parametrize(("who", "status"), [("administer", 200), ("create", 200), ("use", 403)])
async def test_making_takes_the_role_creator(azure: Simulated, who: str, status: int) -> None:
    """An administrator and a creator of a project may make connections there, a user may not."""
    body = wanted(azure, f"by {who}")
    assert (await call(azure, "POST", ENDPOINTS, who, body=body)).status == status


async def test_name_that_is_taken_is_a_conflict(azure: Simulated) -> None:
    """A project can't have two connections of one name, whatever its case; another project can."""
    refused = await call(azure, "POST", ENDPOINTS, body=wanted(azure, "Taken"))
    assert (refused.status, refused.body["typeKey"]) == (409, "DuplicateServiceConnectionException")
    assert "Service connection with name Taken already exists." in refused.body["message"]
    assert (await make(azure, "Taken", "Other"))["name"] == "Taken"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("name",), None, "endpoint.name"),
        (("data", "creationMode"), "Automatic", "Manual"),
        (("data", "creationMode"), None, "Manual"),
        (("data", "scopeLevel"), None, "endpoint.data.scopeLevel"),
        (("data", "subscriptionId"), "", "endpoint.data.subscriptionId"),
        (("data", "revertSchemeDeadline"), "2030-01-01", "not expected: revertSchemeDeadline"),
        (("authorization", "scheme"), "Magic", "using authentication scheme 'Magic'"),
        (("authorization", "parameters", "serviceprincipalid"), None, "serviceprincipalid"),
        (("authorization", "parameters", "serviceprincipalkey"), "k", "not expected: serviceprincipalkey"),
    ],
)
async def test_body_that_lacks_something_or_has_a_secret_is_refused(
    azure: Simulated, path: tuple[str, ...], value: Any, said: str
) -> None:
    """A federated connection takes no secret and isn't made automatically; what misses is named."""
    body = deepcopy(wanted(azure, "never"))
    *where, last = path
    part = body
    for step in where:
        part = part[step]
    part[last] = value
    refused = await call(azure, "POST", ENDPOINTS, body=body)
    assert (refused.status, said in refused.body["message"]) == (400, True), refused.body


async def test_deleted_from_one_project_it_stays_in_the_others(azure: Simulated) -> None:
    """A shared connection goes where it is deleted; deleted everywhere it is gone, and its name is free again."""
    made = await make(azure, "shared", "Web", "Other")
    organization = azure.cloud.azuredevops.organizations["contoso"]
    web, other = organization.existing("Web").id, organization.existing("Other").id
    one = f"{ENDPOINTS}/{made['id']}"
    assert (made["isShared"], (await call(azure, "DELETE", one)).status) == (True, 400)
    assert (await call(azure, "DELETE", f"{one}?projectIds={web}")).status == 204
    assert (await call(azure, "GET", f"/Web{one}")).body is None
    left = (await call(azure, "GET", f"/Other{one}")).body
    assert (left["id"], left["isShared"]) == (made["id"], False)
    assert (await call(azure, "DELETE", f"{one}?projectIds={other}")).status == 204
    assert (await call(azure, "DELETE", f"{one}?projectIds={other}")).status == 404
    await make(azure, "shared", "Web", "Other")


async def test_connection_that_is_disabled_is_used_by_no_run(azure: Simulated) -> None:
    """The preview tells and sets isDisabled; runs through such a connection fail, its other fields stay."""
    pipelines = {"deploy": {"uses": [{"endpoint": "off"}]}}
    rights = ["administer", "queue-builds"]
    seed = {
        "projects": {"Web": {"pipelines": pipelines, "endpoints": {"off": {"application": "app"}}}},
        "members": {"administer": {"projects": {"Web": rights, "Other": rights}}},
    }
    told = (await azure.seed({"organizations": {"contoso": seed}}))["organizations"]["contoso"]["Web"]
    endpoint = f"{ENDPOINTS}/{told['endpoints']['off']}"
    runs = f"/Web/_apis/pipelines/{told['pipelines']['deploy']}/runs"
    first = (await call(azure, "POST", runs, "administer", body={})).body["id"]
    version = "7.2-preview.4"
    before = (await call(azure, "GET", f"/Web{endpoint}", "administer", version=version)).body
    before["authorization"]["parameters"]["serviceprincipalkey"] = azure.cloud.directory.password_value("app")
    changed = await call(azure, "PUT", endpoint, "administer", body=before | {"isDisabled": True}, version=version)
    second = (await call(azure, "POST", runs, "administer", body={})).body["id"]
    results = [(await call(azure, "GET", f"{runs}/{run}", "administer")).body["result"] for run in (first, second)]
    assert (changed.body["isDisabled"], results) == (True, ["succeeded", "failed"])


async def test_managed_identity_needs_trust_and_a_role(azure: Simulated) -> None:
    """A connection of a managed identity signs in once it is trusted, and works once it may read the subscription."""
    identity = azure.cloud.directory.identity("deployer")
    body = wanted(azure, "as identity")
    body["authorization"]["parameters"]["serviceprincipalid"] = identity.client_id
    made = (await call(azure, "POST", ENDPOINTS, body=body)).body
    untrusted = await verify(azure, made["id"])
    trust = {"issuer": made["authorization"]["parameters"][ISSUER]}
    trust["subject"] = made["authorization"]["parameters"][SUBJECT]
    await azure.seed({"identities": {"deployer": {"federated_credentials": {"azdo": trust}}}})
    forbidden = await verify(azure, made["id"])
    role = {"identity": "deployer", "role": "Reader", "scope": f"/subscriptions/{SUBSCRIPTION}"}
    await azure.seed({"role_assignments": [role]})
    assert (untrusted[0], "AADSTS70025:" in untrusted[1]) == ("badRequest", True)
    assert forbidden[0] == "forbidden"
    assert f"object id '{identity.object_id}' does not have authorization to perform action" in forbidden[1]
    assert "AuthorizationFailed" in forbidden[1]
    assert await verify(azure, made["id"]) == ("ok", "")
