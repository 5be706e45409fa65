"""Managed identities and their federated credentials in the simulated Azure Resource Manager, as it documents them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from local.azure.azuredevops_proxy import token
from local.azure.managed_identity import ManagedIdentityEndpoint
from local.azure.tokens import Subject
from local.azure.wire import service_app
from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPEC = (
    "arm-managedidentity/specification/msi/resource-manager/Microsoft.ManagedIdentity/stable/2023-01-31/"
    "ManagedIdentity.json"
)
GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/vended"
OF_GROUP = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
TRUSTER = "Managed Identity Federated Identity Credential Contributor"
ISSUER = "https://vstoken.dev.azure.com/0f000000-0000-0000-0000-000000000000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """Somebody who may make identities, somebody who may read them, a stranger; an identity that is there already."""
    with pytest.MonkeyPatch.context() as patch:
        async with simulated(tmp_path_factory.mktemp("azure"), patch) as running:
            trusted = {"azdo": {"issuer": ISSUER, "subject": "sc://contoso/Web/seeded"}}
            await running.seed(
                {
                    "identities": {
                        "vendor": {"app_roles": ["Application.Read.All"]},
                        "reader": {},
                        "stranger": {},
                        "truster": {},
                        "seeded": {
                            "resource_group": "vended",
                            "attached": False,
                            "federated_credentials": trusted,
                        },
                    },
                    "role_assignments": [
                        {"identity": "vendor", "role": "Managed Identity Contributor", "scope": GROUP},
                        {"identity": "reader", "role": "Reader", "scope": GROUP},
                        {"identity": "truster", "role": TRUSTER, "scope": GROUP},
                    ],
                }
            )
            yield running


async def arm(azure: Simulated, method: str, path: str, body: Any = None, who: str = "vendor") -> Answer:
    """Send one request to Azure Resource Manager, with the writes before it long ago."""
    azure.cloud.clock.advance(timedelta(seconds=10))
    return await at_once(azure, method, path, body, who)


async def at_once(azure: Simulated, method: str, path: str, body: Any = None, who: str = "vendor") -> Answer:
    """Send one request right after the last one."""
    url = f"{azure.cloud.url('management')}{path}?api-version=2023-01-31"
    return await azure.call(method, url, token=azure.token(who, "https://management.azure.com"), body=body)


async def made(azure: Simulated, name: str) -> str:
    """Make a managed identity; return its ARM id."""
    answer = await arm(azure, "PUT", f"{OF_GROUP}/{name}", {"location": "westeurope"})
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def wanted(subject: str, **changes: Any) -> dict[str, Any]:
    """Return the body that makes a federated credential."""
    properties = {"issuer": ISSUER, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    return {"properties": properties | changes}


async def test_who_may_say_whom_it_trusts_need_not_be_able_to_delete_it(azure: Simulated) -> None:
    """The role for federated credentials reads the identity, writes and deletes those, and nothing else."""
    arm_id = await made(azure, "kept")
    credential = f"{arm_id}/federatedIdentityCredentials/first"
    assert (await arm(azure, "GET", arm_id, who="truster")).status == 200
    assert (await arm(azure, "PUT", credential, wanted("sc://contoso/Web/kept"), who="truster")).status == 201
    assert (await arm(azure, "DELETE", credential, who="truster")).status == 200
    assert (await arm(azure, "PUT", arm_id, {"location": "westeurope"}, who="truster")).status == 403
    assert (await arm(azure, "DELETE", arm_id, who="truster")).status == 403


@needs_contracts
async def test_what_it_takes_and_answers_is_what_is_specified(azure: Simulated) -> None:
    """Every operation's request and answer fits the published specification, with its statuses."""
    one, credential = f"{OF_GROUP}/specified", f"{OF_GROUP}/specified/federatedIdentityCredentials/first"
    identities, credentials = "UserAssignedIdentities", "FederatedIdentityCredentials"
    for operation, method, path, body, status in (
        (f"{identities}_CreateOrUpdate", "PUT", one, {"location": "westeurope", "tags": {"a": "b"}}, 201),
        (f"{identities}_CreateOrUpdate", "PUT", one, {"location": "westeurope", "tags": {"a": "c"}}, 200),
        (f"{identities}_Get", "GET", one, None, 200),
        (f"{identities}_ListByResourceGroup", "GET", OF_GROUP, None, 200),
        (f"{credentials}_CreateOrUpdate", "PUT", credential, wanted("sc://contoso/Web/1"), 201),
        (f"{credentials}_CreateOrUpdate", "PUT", credential, wanted("sc://contoso/Web/2"), 200),
        (f"{credentials}_Get", "GET", credential, None, 200),
        (f"{credentials}_List", "GET", f"{one}/federatedIdentityCredentials", None, 200),
        (f"{credentials}_Delete", "DELETE", credential, None, 200),
        (f"{credentials}_Delete", "DELETE", credential, None, 204),
        (f"{identities}_Delete", "DELETE", one, None, 200),
        (f"{identities}_Delete", "DELETE", one, None, 204),
    ):
        validate_request(SPEC, operation, body, {"api-version": "2023-01-31"})
        answer = await arm(azure, method, path, body)
        assert answer.status == status, answer.body
        validate_response(SPEC, operation, status, answer.body or None)


async def test_a_made_identity_gets_a_principal_that_graph_shows_a_while_later(azure: Simulated) -> None:
    """Graph names its kind and its ARM id; until the directory has replicated it, it isn't there."""
    azure.cloud.switches.set({"service": "graph", "propagation": {"principal_seconds": 60}})
    arm_id = await made(azure, "lagging")
    read = (await arm(azure, "GET", arm_id)).body["properties"]

    async def principals() -> list[dict[str, Any]]:
        url = f"{azure.cloud.url('graph')}/v1.0/servicePrincipals?$filter=appId eq '{read['clientId']}'"
        vendor = azure.cloud.directory.identity("vendor")
        ids = (azure.cloud.tenant, vendor.client_id, vendor.object_id)
        caller = azure.cloud.tokens.issue(Subject(*ids, "https://graph.microsoft.com", vendor.app_roles), 3600)
        value: list[dict[str, Any]] = (await azure.call("GET", url, token=caller)).body["value"]
        return value

    assert await principals() == []
    azure.cloud.clock.advance(timedelta(seconds=61))
    (seen,) = await principals()
    assert (seen["id"], seen["servicePrincipalType"]) == (read["principalId"], "ManagedIdentity")
    assert seen["alternativeNames"] == ["isExplicit=True", arm_id]


async def test_a_workload_signs_in_as_a_made_identity_as_soon_as_entra_knows_it(azure: Simulated) -> None:
    """No credential, one that propagates, another subject, the right one, a deleted identity: each is told apart."""
    azure.cloud.switches.set({"service": "entra", "propagation": {"federated_seconds": 30}})
    arm_id = await made(azure, "working")
    client_id = (await arm(azure, "GET", arm_id)).body["properties"]["clientId"]

    async def code(subject: str) -> int:
        parameters = {
            "serviceprincipalid": client_id,
            "tenantid": azure.cloud.tenant,
            "workloadidentityfederationissuer": ISSUER,
            "workloadidentityfederationsubject": subject,
        }
        status, answer = await token(azure.cloud, parameters)
        return 0 if status == 200 else int(answer["error_codes"][0])

    assert await code("sc://contoso/Web/shop") == 70025
    await arm(azure, "PUT", f"{arm_id}/federatedIdentityCredentials/shop", wanted("sc://contoso/Web/shop"))
    assert await code("sc://contoso/Web/shop") == 70021
    azure.cloud.clock.advance(timedelta(seconds=31))
    assert [await code("sc://contoso/Web/shop"), await code("sc://contoso/Web/other")] == [0, 700213]
    await arm(azure, "DELETE", arm_id)
    assert await code("sc://contoso/Web/shop") == 700016


@pytest.mark.parametrize(
    ("name", "body", "status", "sentence"),
    [
        ("x", wanted("s"), 400, "name 'x' is invalid"),
        ("-dash", wanted("s"), 400, "name '-dash' is invalid"),
        ("empty", wanted(""), 400, "empty properties"),
        ("several", wanted("s", audiences=["a", "b"]), 400, "exactly one audience"),
        ("none", wanted("s", audiences=[]), 400, "exactly one audience"),
        ("twice", wanted("sc://contoso/Web/seeded"), 409, "Issuer and subject combination already exists"),
    ],
)
async def test_credentials_that_do_not_fit_are_refused(
    azure: Simulated, name: str, body: Any, status: int, sentence: str
) -> None:
    """Names, properties, audiences and pairs of issuer and subject are as the documentation has them."""
    answer = await arm(azure, "PUT", f"{OF_GROUP}/seeded/federatedIdentityCredentials/{name}", body)
    assert answer.status == status
    assert sentence in answer.body["error"]["message"]


async def test_there_is_room_for_twenty(azure: Simulated) -> None:
    """The twenty-first federated credential is refused; one of the twenty can still be changed."""
    of = f"{await made(azure, 'full')}/federatedIdentityCredentials"
    for number in range(20):
        assert (await arm(azure, "PUT", f"{of}/number-{number}", wanted(f"s{number}"))).status == 201
    assert (await arm(azure, "PUT", f"{of}/number-20", wanted("s20"))).status == 400
    assert (await arm(azure, "PUT", f"{of}/number-3", wanted("s20"))).status == 200


async def test_writes_exclude_each_other_and_come_slowly(azure: Simulated) -> None:
    """Two writes at once on one identity are one too many; a resource takes one write in four seconds."""
    of = f"{await made(azure, 'busy')}/federatedIdentityCredentials"
    answers = await asyncio.gather(*(at_once(azure, "PUT", f"{of}/at-once-{n}", wanted(f"{n}")) for n in (1, 2)))
    assert sorted(answer.status for answer in answers) == [201, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.body["error"]["code"] == "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"
    await arm(azure, "PUT", f"{of}/often", wanted("1"))
    throttled = await at_once(azure, "PUT", f"{of}/often", wanted("1"))
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "4")


async def test_only_whoever_may_does(azure: Simulated) -> None:
    """A reader reads, a stranger doesn't, neither writes; paths are read in any case."""
    assert (
        await arm(azure, "GET", f"{OF_GROUP}/seeded".upper().replace("SEEDED", "seeded"), who="reader")
    ).status == 200
    for who, method, path in (
        ("stranger", "GET", f"{OF_GROUP}/seeded"),
        ("reader", "PUT", f"{OF_GROUP}/new"),
        ("reader", "DELETE", f"{OF_GROUP}/seeded"),
        ("reader", "PUT", f"{OF_GROUP}/seeded/federatedIdentityCredentials/new"),
        ("vendor", "PUT", f"{OF_GROUP.replace('vended', 'other')}/new"),
    ):
        answer = await arm(azure, method, path, {"location": "westeurope"}, who)
        assert (answer.status, answer.body["error"]["code"]) == (403, "AuthorizationFailed")


async def test_a_made_identity_is_not_the_function_apps(azure: Simulated) -> None:
    """The endpoint that hands tokens to the function app knows only the identities that the app has."""
    arm_id = await made(azure, "elsewhere")
    client_id = (await arm(azure, "GET", arm_id)).body["properties"]["clientId"]
    own = azure.cloud.directory.identity("vendor").client_id
    endpoint = httpx.ASGITransport(app=service_app(ManagedIdentityEndpoint(azure.cloud, "header")))
    async with httpx.AsyncClient(transport=endpoint, base_url="http://localhost") as client:
        for wanted_id, status in ((own, 200), (client_id, 400)):
            query = {"api-version": "2019-08-01", "resource": "https://vault.azure.net", "client_id": wanted_id}
            answer = await client.get("/msi/token", params=query, headers={"X-IDENTITY-HEADER": "header"})
            assert answer.status_code == status
