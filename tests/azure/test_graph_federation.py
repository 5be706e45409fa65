"""Federated credentials of applications in the simulated Graph: who may make them, their rules, their limit."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from local.azure.tokens import Subject
from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPEC = "msgraph-v1.0/openapi-subset.json"
WANTED: dict[str, Any] = {
    "name": "from-azdo",
    "issuer": "https://vstoken.dev.azure.com/0f000000-0000-0000-0000-000000000000",
    "subject": "sc://contoso/Web/prod",
    "audiences": ["api://AzureADTokenExchange"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """A directory with an owner of applications, and others who may more or less; reads don't lag."""
    with pytest.MonkeyPatch.context() as patch:
        async with simulated(tmp_path_factory.mktemp("azure"), patch) as running:
            await running.seed(
                {
                    "identities": {
                        "owner": {"app_roles": ["Application.ReadWrite.OwnedBy"]},
                        "stranger": {"app_roles": ["Application.ReadWrite.OwnedBy"]},
                        "reader": {"app_roles": ["Application.Read.All"]},
                        "nobody": {},
                    }
                }
            )
            await lag(running, 0)
            yield running


@pytest_asyncio.fixture(loop_scope="module")
async def azure(cloud: Simulated) -> Simulated:
    """The directory, with a new application in it."""
    cloud.cloud.directory.applications.clear()
    await cloud.seed({"applications": {"app": {"owners": ["owner"]}}})
    return cloud


async def lag(azure: Simulated, seconds: float) -> None:
    """Set how far reads lag behind writes."""
    switch = {"service": "graph", "propagation": {"seconds": seconds}}
    await azure.call("POST", f"{azure.control}/_sim/faults", body=switch)


async def ask(azure: Simulated, method: str, below: str = "", who: str = "owner", body: Any = None) -> Answer:
    """Send one request about the application's federated credentials."""
    directory, origin = azure.cloud.directory, azure.cloud.url("graph")
    caller = directory.identity(who)
    subject = Subject(azure.cloud.tenant, caller.client_id, caller.object_id, origin, caller.app_roles)
    app = f"applications(appId='{directory.application('app').app_id}')"
    where = f"{origin}/v1.0/{app}/federatedIdentityCredentials{below}"
    return await azure.call(method, where, token=azure.cloud.tokens.issue(subject, 3600), body=body)


async def names(azure: Simulated) -> list[str]:
    """Return the names of what there is."""
    return [one["name"] for one in (await ask(azure, "GET")).body["value"]]


@needs_contracts
async def test_made_read_and_deleted_as_specified(azure: Simulated) -> None:
    """What was made is found in the list, by id, by name and by $filter, keeps its case, and goes when deleted."""
    validate_request(SPEC, "applications.CreateFederatedIdentityCredentials", WANTED)
    made = await ask(azure, "POST", body=WANTED)
    assert made.status == 201
    validate_response(SPEC, "applications.CreateFederatedIdentityCredentials", made.status, made.body)
    listed = await ask(azure, "GET")
    validate_response(SPEC, "applications.ListFederatedIdentityCredentials", 200, listed.body)
    by_id, by_name = await ask(azure, "GET", f"/{made.body['id']}"), await ask(azure, "GET", "/from-azdo")
    filtered = await ask(azure, "GET", "?$filter=name eq 'other'")
    assert {name: listed.body["value"][0][name] for name in WANTED} == WANTED
    assert (by_id.body["subject"], by_name.body["id"]) == (WANTED["subject"], made.body["id"])
    assert filtered.body["value"] == []
    assert (await ask(azure, "DELETE", f"/{made.body['id']}")).status == 204
    assert (await names(azure), (await ask(azure, "DELETE", "/from-azdo")).status) == ([], 404)


@pytest.mark.parametrize(
    ("who", "reads", "writes"),
    [("owner", 200, 201), ("stranger", 200, 403), ("reader", 200, 403), ("nobody", 403, 403)],
)
async def test_who_may(azure: Simulated, who: str, reads: int, writes: int) -> None:
    """Only an owner with OwnedBy makes one; whoever reads applications reads them."""
    assert (await ask(azure, "GET", who=who)).status == reads
    assert (await ask(azure, "POST", who=who, body=WANTED)).status == writes
    assert await names(azure) == (["from-azdo"] if writes == 201 else [])


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"name": "other"}, 400, "InvalidFederatedIdentityCredentialValue"),
        ({"subject": "other"}, 409, "Request_MultipleObjectsWithSameKeyValue"),
        ({"name": "other", "subject": "SC://contoso/Web/prod"}, 201, None),
        ({"name": "-a", "subject": "other"}, 400, "InvalidFederatedIdentityCredentialValue"),
        ({"name": "ab", "subject": "other"}, 400, "InvalidFederatedIdentityCredentialValue"),
        ({"name": "other", "subject": "x" * 601}, 400, "Request_BadRequest"),
        ({"name": "other", "subject": "x", "audiences": ["a", "b"]}, 400, "Request_BadRequest"),
    ],
)
async def test_what_a_second_one_must_differ_in(
    azure: Simulated, changed: dict[str, Any], status: int, code: str | None
) -> None:
    """Names are unique, and so are pairs of issuer and subject, compared exactly; values have their limits."""
    await ask(azure, "POST", body=WANTED)
    answer = await ask(azure, "POST", body=WANTED | changed)
    assert (answer.status, answer.body.get("error", {}).get("code")) == (status, code)


async def test_twenty_is_the_most(azure: Simulated) -> None:
    """A 21st is refused, and taken once another one is gone."""
    made = [
        await ask(azure, "POST", body=WANTED | {"name": f"one-{number}", "subject": f"sc://{number}"})
        for number in range(20)
    ]
    assert (await ask(azure, "POST", body=WANTED)).status == 400
    await ask(azure, "DELETE", f"/{made[0].body['id']}")
    assert (await ask(azure, "POST", body=WANTED)).status == 201


async def test_changed_but_for_its_name(azure: Simulated) -> None:
    """A PATCH changes the subject and nothing else; a name is for good."""
    made = (await ask(azure, "POST", body=WANTED)).body
    assert (await ask(azure, "PATCH", f"/{made['id']}", body={"subject": "sc://contoso/Web/new"})).status == 204
    assert (await ask(azure, "PATCH", f"/{made['id']}", body={"name": "another"})).status == 400
    now = (await ask(azure, "GET", "/from-azdo")).body
    assert {**now, "subject": made["subject"], "@odata.context": ""} == {**made, "@odata.context": ""}
    assert now["subject"] == "sc://contoso/Web/new"


async def test_reads_lag_behind_writes(azure: Simulated) -> None:
    """A replica that hasn't heard of it yet doesn't list it."""
    await lag(azure, 30)
    await ask(azure, "POST", body=WANTED)
    before = await names(azure)
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": 31})
    assert (before, await names(azure)) == ([], ["from-azdo"])
    await lag(azure, 0)
