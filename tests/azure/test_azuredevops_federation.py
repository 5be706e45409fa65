"""Azure DevOps' connections without a key, and what their sign-in at Entra takes."""

from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest
import pytest_asyncio

from local.azure.tokens import Subject
from tests.azure.contracts import needs_contracts, validate_definition, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
PREVIEW_SPEC = "azure-devops/specification/serviceEndpoint/7.2/serviceEndpoint.json"
ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111"
FEDERATED = {"application": "app", "scheme": "WorkloadIdentityFederation"}
ENDPOINTS: dict[str, Any] = {
    "federated": FEDERATED | {"age_days": 400},
    "managed": FEDERATED | {"application": "", "identity": "deployer", "creation_mode": "Automatic"},
    "old": FEDERATED | {"issuer": "azure-devops", "shared_with": ["Other"]},
    "certificate": {"application": "app", "certificate": True},
    "agent": {"scheme": "ManagedServiceIdentity"},
    "profile": {"scheme": "PublishProfile"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """An organisation with connections of every scheme."""
    with pytest.MonkeyPatch.context() as patch:
        async with simulated(tmp_path_factory.mktemp("azure"), patch) as running:
            await running.seed(
                {
                    "identities": {"admin": {}, "deployer": {}},
                    "applications": {"app": {"passwords": [{}]}, "bare": {}},
                    "role_assignments": [{"identity": "deployer", "role": "Reader", "scope": SUBSCRIPTION}],
                    "organizations": {
                        "contoso": {
                            "members": {"admin": {"projects": {"Web": ["administer"], "Other": ["administer"]}}},
                            "projects": {"Web": {"endpoints": ENDPOINTS}, "Other": {}},
                        }
                    },
                }
            )
            yield running


async def call(azure: Simulated, method: str, path: str, *, body: Any = None, version: str = "7.1") -> Answer:
    """Send one request to the organisation."""
    separator = "&" if "?" in path else "?"
    where = f"{azure.cloud.url('azuredevops')}/contoso{path}{separator}api-version={version}"
    return await azure.call(method, where, token=azure.token("admin", RESOURCE), body=body)


async def named(azure: Simulated, name: str, version: str = "7.1") -> Any:
    """Return a connection as the list by name shows it."""
    found = await call(azure, "GET", f"/Web/_apis/serviceendpoint/endpoints?endpointNames={name}", version=version)
    return found.body["value"][0]


async def plant(azure: Simulated, name: str, **seed: Any) -> Any:
    """Add a connection and return it."""
    endpoints = {name: FEDERATED | seed}
    await azure.seed({"organizations": {"contoso": {"projects": {"Web": {"endpoints": endpoints}}}}})
    return await named(azure, name)


@pytest.mark.parametrize(
    ("name", "scheme", "shown", "data"),
    [
        ("federated", FEDERATED["scheme"], {"workloadIdentityFederationIssuerType"}, "AppRegistrationManual"),
        ("managed", FEDERATED["scheme"], {ISSUER, SUBJECT}, "ManagedIdentity"),
        ("certificate", "ServicePrincipal", {"servicePrincipalCertificate", "authenticationType"}, None),
        ("agent", "ManagedServiceIdentity", {"tenantid"}, None),
        ("profile", "PublishProfile", {"publishProfile", "resourceId"}, None),
    ],
)
@needs_contracts
async def test_each_scheme_shows_its_own_parameters(
    azure: Simulated, name: str, scheme: str, shown: set[str], data: str | None
) -> None:
    """A connection shows what it signs in as, never a secret, in a shape that the specification allows."""
    endpoint = await named(azure, name, "7.2-preview.4")
    parameters = endpoint["authorization"]["parameters"]
    validate_definition(PREVIEW_SPEC, "ServiceEndpoint", endpoint)
    assert (endpoint["authorization"]["scheme"], shown <= parameters.keys()) == (scheme, True)
    assert endpoint["data"].get("identityType") == data
    assert {parameters.get(secret) for secret in ("servicePrincipalCertificate", "publishProfile")} == {None}


async def test_issuer_and_subject_can_be_read(azure: Simulated) -> None:
    """The newer issuer is Entra, with ids in the subject; the older one is Azure DevOps, with names in it."""
    organization = azure.cloud.azuredevops.organizations["contoso"].id
    new, old = await named(azure, "federated"), (await named(azure, "old"))["authorization"]["parameters"]
    parameters = new["authorization"]["parameters"]
    assert parameters[ISSUER] == f"https://login.microsoftonline.com/{azure.cloud.tenant}/v2.0"
    assert parameters[SUBJECT].startswith("/eid1/c/pub/t/")
    assert parameters[SUBJECT].endswith(f"/sc/{organization}/{new['id']}")
    assert old[ISSUER] == f"https://vstoken.dev.azure.com/{organization}"
    assert old[SUBJECT] == "sc://contoso/Web/old"


async def test_seeded_age_is_told_by_the_preview(azure: Simulated) -> None:
    """7.2 tells when a connection was made."""
    made = (await named(azure, "federated", "7.2-preview.4"))["creationDate"]
    assert made < (await named(azure, "old", "7.2-preview.4"))["creationDate"]


async def verify(azure: Simulated, endpoint: Any) -> tuple[str, str]:
    """Let Azure DevOps test a connection; return the inner status and message."""
    path = f"/Web/_apis/serviceendpoint/endpointproxy?endpointId={endpoint['id']}"
    source = {"dataSourceDetails": {"dataSourceName": "TestConnection"}, "resultTransformationDetails": {}}
    answer = await call(azure, "POST", path, body=source)
    return answer.body["statusCode"], answer.body["errorMessage"]


@pytest.mark.parametrize("name", ["federated", "managed", "old"])
async def test_matching_credential_lets_a_connection_sign_in(azure: Simulated, name: str) -> None:
    """Entra takes what either issuer asserts, for an application and for a managed identity."""
    assert await verify(azure, await named(azure, name)) == ("ok", "")


@pytest.mark.parametrize(
    ("seed", "audience", "code"),
    [
        ({"federated_credential": "none"}, "AzureADMyOrg", "AADSTS70025:"),
        ({"federated_credential": "other"}, "AzureADMyOrg", "AADSTS700213:"),
        ({"federated_credential": "other", "issuer": "azure-devops"}, "AzureADMyOrg", "AADSTS700213:"),
        ({"federated_credential": "wrong-case", "issuer": "azure-devops"}, "AzureADMyOrg", "AADSTS7002138:"),
        ({}, "AzureADMultipleOrgs", "AADSTS70052:"),
        ({"issuer": "azure-devops"}, "AzureADMultipleOrgs", None),
        ({"application": "", "client_id": "0e000000-0000-0000-0000-000000000000"}, "AzureADMyOrg", "AADSTS700016:"),
    ],
)
async def test_sign_in_is_refused_with_the_documented_code(
    azure: Simulated, seed: dict[str, Any], audience: str, code: str | None
) -> None:
    """What doesn't match exactly doesn't sign in, and Entra's code says what is wrong."""
    await azure.seed({"applications": {"fresh": {"sign_in_audience": audience}}})
    azure.cloud.directory.application("fresh").federated.every.clear()
    endpoint = await plant(azure, "tried", **{"application": "fresh", **seed})
    status, message = await verify(azure, endpoint)
    assert (status, code is None or code in message) == ("badRequest" if code else "ok", True)


async def test_new_credential_propagates(azure: Simulated) -> None:
    """A credential that Entra's replicas haven't heard of yet is refused with the older code, and then taken."""
    fresh = (await azure.seed({"applications": {"fresh": {}}}))["applications"]["fresh"]
    azure.cloud.directory.application("fresh").federated.every.clear()
    endpoint = await plant(azure, "tried", application="fresh", federated_credential="none")
    switch = {"service": "entra", "propagation": {"federated_seconds": 120}}
    await azure.call("POST", f"{azure.control}/_sim/faults", body=switch)
    parameters = endpoint["authorization"]["parameters"]
    await azure.seed({"identities": {"writer": {"app_roles": ["Application.ReadWrite.All"]}}})
    await make_credential(azure, fresh["object_id"], parameters[ISSUER], parameters[SUBJECT])
    before = await verify(azure, endpoint)
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": 121})
    assert ("AADSTS70021:" in before[1], await verify(azure, endpoint)) == (True, ("ok", ""))


async def make_credential(azure: Simulated, application: str, issuer: str, subject: str) -> None:
    """Make a federated credential through Graph."""
    who, origin = azure.cloud.directory.identity("writer"), azure.cloud.url("graph")
    caller = Subject(azure.cloud.tenant, who.client_id, who.object_id, origin, who.app_roles)
    body = {"name": "azdo", "issuer": issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    where = f"{origin}/v1.0/applications/{application}/federatedIdentityCredentials"
    answer = await azure.call("POST", where, token=azure.cloud.tokens.issue(caller, 600), body=body)
    assert answer.status == 201


async def history(azure: Simulated, endpoint: str, query: str = "", project: str = "Web") -> Answer:
    """Return the uses of a connection."""
    return await call(azure, "GET", f"/{project}/_apis/serviceendpoint/{endpoint}/executionhistory{query}")


async def test_execution_history_tells_who_used_a_connection(azure: Simulated) -> None:
    """Seeded uses and real runs are told newest first, page by page."""
    past = [{"days_ago": 90, "pipeline": "nightly"}, {"days_ago": 3, "result": "failed"}]
    endpoint = await plant(azure, "used", executions=past)
    pipelines = {"deploy": {"uses": [{"endpoint": "used"}]}, "other": {"uses": [{"endpoint": "old"}]}}
    members = {"admin": {"projects": {"Web": ["administer", "queue-builds"], "Other": ["administer"]}}}
    project = {"projects": {"Web": {"pipelines": pipelines}}, "members": members}
    told = await azure.seed({"organizations": {"contoso": project}})
    for number in told["organizations"]["contoso"]["Web"]["pipelines"].values():
        await call(azure, "POST", f"/Web/_apis/pipelines/{number}/runs", body={})
    first = await history(azure, endpoint["id"], "?top=2")
    rest = await history(azure, endpoint["id"], f"?top=2&continuationToken={first.headers['x-ms-continuationtoken']}")
    every = [record["data"] for record in first.body["value"] + rest.body["value"]]
    results = [(one["definition"]["name"], one["result"]) for one in every]
    assert results == [("deploy", "succeeded"), ("nightly", "failed"), ("nightly", "succeeded")]
    assert "x-ms-continuationtoken" not in rest.headers


@needs_contracts
async def test_execution_history_is_as_specified_and_by_project(azure: Simulated) -> None:
    """Records fit the specification; each project is told of its own runs, one without the connection of nothing."""
    endpoint = await plant(azure, "used", executions=[{"days_ago": 1}])
    shared = await plant(azure, "shared", executions=[{"days_ago": 1}], shared_with=["Other"])
    found = await history(azure, endpoint["id"])
    validate_response(PREVIEW_SPEC, "Executionhistory_List", 200, found.body["value"])
    assert (await history(azure, endpoint["id"], project="Other")).status == 404
    counts = [(await history(azure, shared["id"], project=one)).body["count"] for one in ("Web", "Other")]
    assert counts == [1, 0]


async def test_long_lists_come_in_pages(azure: Simulated) -> None:
    """Projects and variable groups say in a header where the next page begins, $skip begins there too."""
    groups: dict[str, Any] = {f"group {number}": {"variables": {}} for number in range(3)}
    rights = ["administer", "library-reader"]
    members = {"admin": {"projects": {"Web": rights, "Other": rights}}}
    seed = {"projects": {"Other": {"variable_groups": groups}}, "members": members}
    await azure.seed({"organizations": {"contoso": seed}})
    first = await call(azure, "GET", "/_apis/projects?$top=1")
    second = await call(azure, "GET", f"/_apis/projects?continuationToken={first.headers['x-ms-continuationtoken']}")
    skipped = await call(azure, "GET", "/_apis/projects?$skip=1")
    wrong = await call(azure, "GET", "/_apis/projects?$top=many")
    names = [[one["name"] for one in answer.body["value"]] for answer in (first, second, skipped)]
    assert (names, wrong.status) == ([["Web"], ["Other"], ["Other"]], 400)
    listed = await call(azure, "GET", "/Other/_apis/distributedtask/variablegroups?$top=2")
    assert (listed.body["count"], listed.headers["x-ms-continuationtoken"]) == (2, "2")


async def test_connections_can_be_asked_for_by_scheme(azure: Simulated) -> None:
    """The list is narrowed by authSchemes, in any case."""
    found = await call(azure, "GET", "/Web/_apis/serviceendpoint/endpoints?authSchemes=publishprofile")
    assert [one["name"] for one in found.body["value"]] == ["profile"]


async def test_variables_of_definitions_are_told_without_secrets(azure: Simulated) -> None:
    """A definition tells its variables' names, and values only of those that aren't secret."""
    variables = {"DB_PASSWORD": {"value": "plain"}, "TOKEN": {"value": "hidden", "secret": True}}
    project = {"pipelines": {"named": {"variables": variables}}}
    members = {"admin": {"projects": {"Web": ["administer", "queue-builds"], "Other": ["administer"]}}}
    told = await azure.seed({"organizations": {"contoso": {"projects": {"Web": project}, "members": members}}})
    number = told["organizations"]["contoso"]["Web"]["pipelines"]["named"]
    shown = (await call(azure, "GET", f"/Web/_apis/build/definitions/{number}")).body["variables"]
    assert shown == {"DB_PASSWORD": {"value": "plain"}, "TOKEN": {"value": None, "isSecret": True}}


async def test_who_asks_too_much_is_slowed_down_and_then_refused(azure: Simulated) -> None:
    """Beyond the limit answers say how long to wait, at twice the limit they are refusals, and time heals it."""
    await azure.seed(
        {
            "organizations": {
                "busy": {
                    "members": {"admin": {"projects": {"Web": ["view"]}}},
                    "projects": {"Web": {}},
                    "limit": {"requests": 2},
                }
            }
        }
    )
    where = f"{azure.cloud.url('azuredevops')}/busy/_apis/projects"
    token = azure.token("admin", RESOURCE)
    answers = [await azure.call("GET", where, token=token) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429]
    waits = ["Retry-After" in answer.headers for answer in answers]
    assert waits == [False, False, True, True, True]
    assert answers[2].headers["X-RateLimit-Limit"] == "2"
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": 301})
    assert "Retry-After" not in (await azure.call("GET", where, token=token)).headers


async def convert(azure: Simulated, endpoint: Any, scheme: str, project: str = "", **data: str) -> Answer:
    """Ask for another scheme, with the whole connection as the body."""
    path = f"{project}/_apis/serviceendpoint/endpoints/{endpoint['id']}?operation=ConvertAuthenticationScheme"
    kept = {name: value for name, value in endpoint["data"].items() if name != "revertSchemeDeadline"}
    changed = {"authorization": {**endpoint["authorization"], "scheme": scheme}, "data": kept | data}
    return await call(azure, "PUT", path, body=endpoint | changed)


async def test_renaming_changes_the_subject_that_is_made_of_names_only(azure: Simulated) -> None:
    """After a renaming the older issuer asserts another subject, and its credential doesn't match any more."""
    endpoint = await plant(azure, "before", issuer="azure-devops")
    renamed = deepcopy(endpoint) | {"name": "after"}
    renamed["serviceEndpointProjectReferences"][0]["name"] = "after"
    renamed["authorization"]["parameters"][SUBJECT] = "of my own"
    answer = await call(azure, "PUT", f"/_apis/serviceendpoint/endpoints/{endpoint['id']}", body=renamed)
    assert answer.body["authorization"]["parameters"][SUBJECT] == "sc://contoso/Web/after"
    assert "AADSTS700213:" in (await verify(azure, endpoint))[1]


async def test_converted_in_place_and_back_within_seven_days(azure: Simulated) -> None:
    """An automatic connection is given its credential with the conversion; what it signed in with is kept a week."""
    seed = {"scheme": "ServicePrincipal", "creation_mode": "Automatic"}
    endpoint = await plant(azure, "converted", **seed)
    federated = (await convert(azure, endpoint, FEDERATED["scheme"])).body
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": "P6D"})
    assert await verify(azure, federated) == ("ok", "")
    assert federated["data"]["revertSchemeDeadline"].endswith("Z")
    back = await convert(azure, federated, "ServicePrincipal")
    assert (back.status, await verify(azure, endpoint)) == (200, ("ok", ""))
    assert "revertSchemeDeadline" not in back.body["data"]
    await convert(azure, endpoint, FEDERATED["scheme"])
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": "P7D"})
    assert (await convert(azure, federated, "ServicePrincipal")).status == 400


async def test_manual_connection_is_converted_without_a_credential(azure: Simulated) -> None:
    """Nobody but whoever owns the application makes the federated credential of a manual connection."""
    endpoint = await plant(azure, "manual", scheme="ServicePrincipal", application="bare", key="k")
    assert (await convert(azure, endpoint, FEDERATED["scheme"])).status == 200
    assert "AADSTS70025:" in (await verify(azure, endpoint))[1]


async def test_conversion_is_refused_from_elsewhere_and_with_a_deadline(azure: Simulated) -> None:
    """Only the owning project converts a shared connection; the deadline is the service's own; schemes have to fit."""
    shared = await plant(azure, "shared", scheme="ServicePrincipal", shared_with=["Other"])
    agent, scheme = await named(azure, "agent"), FEDERATED["scheme"]
    answers = [
        await convert(azure, shared, scheme, project="/Other"),
        await convert(azure, shared, scheme, revertSchemeDeadline="2030-01-01T00:00:00.0000000Z"),
        await convert(azure, agent, scheme),
    ]
    assert [answer.status for answer in answers] == [400, 400, 400]
    assert (await convert(azure, shared, scheme, project="/Web")).status == 200


async def organization_that(azure: Simulated, **behaves: str) -> None:
    """Let the organisation behave so from now on."""
    await azure.seed({"organizations": {"contoso": behaves}})


@pytest.mark.parametrize(
    ("conversion", "said"),
    [("checks", "could not be upgraded"), ("checks-as-the-portal", "Automatic authentication conversion failed.")],
)
async def test_conversion_may_wait_for_trust(azure: Simulated, conversion: str, said: str) -> None:
    """Where it is tried first, an untrusted connection stays on its key and tells what Entra shall trust."""
    await organization_that(azure, conversion=conversion)
    await azure.seed({"applications": {"tried": {"passwords": [{}]}}})
    azure.cloud.directory.application("tried").federated.every.clear()
    endpoint = await plant(azure, "tried", scheme="ServicePrincipal", application="tried")
    refused = await convert(azure, endpoint, FEDERATED["scheme"])
    assert (refused.status, said in refused.body["message"]) == (400, True)
    kept = await named(azure, "tried")
    parameters = kept["authorization"]["parameters"]
    assert (kept["authorization"]["scheme"], "revertSchemeDeadline" in kept["data"]) == ("ServicePrincipal", False)
    assert await verify(azure, kept) == ("ok", "")
    trust = {"issuer": parameters[ISSUER], "subject": parameters[SUBJECT]}
    await azure.seed({"applications": {"tried": {"federated_credentials": {"azdo": trust}}}})
    federated = (await convert(azure, kept, FEDERATED["scheme"])).body
    assert federated["authorization"]["parameters"][SUBJECT] == trust["subject"]
    assert await verify(azure, federated) == ("ok", "")
    await organization_that(azure, conversion="at-once")


async def test_connection_may_announce_what_it_will_sign_in_with(azure: Simulated) -> None:
    """Issuer and subject may be told of a connection that still uses its key, and they stay when it is converted."""
    endpoint = await plant(azure, "announcing", scheme="ServicePrincipal", announces=True)
    announced = endpoint["authorization"]["parameters"]
    assert (announced["serviceprincipalkey"], await verify(azure, endpoint)) == (None, ("ok", ""))
    converted = (await convert(azure, endpoint, FEDERATED["scheme"])).body["authorization"]["parameters"]
    assert [converted[name] for name in (ISSUER, SUBJECT)] == [announced[name] for name in (ISSUER, SUBJECT)]


async def test_reverting_may_be_for_automatic_connections_only(azure: Simulated) -> None:
    """As Microsoft's documentation has it, what was made by hand can't be reverted, where an organisation does so."""
    await organization_that(azure, reverts="automatic")
    answers = []
    for name, mode in (("by hand", "Manual"), ("by itself", "Automatic")):
        endpoint = await plant(azure, name, scheme="ServicePrincipal", creation_mode=mode)
        federated = (await convert(azure, endpoint, FEDERATED["scheme"])).body
        answers.append((await convert(azure, federated, "ServicePrincipal")).status)
    await organization_that(azure, reverts="all")
    assert answers == [400, 200]


async def test_converting_to_the_same_scheme_is_refused_in_its_words(azure: Simulated) -> None:
    """A federated connection isn't converted again."""
    refused = await convert(azure, await named(azure, "federated"), FEDERATED["scheme"])
    assert (refused.status, refused.body["typeKey"]) == (400, "ArgumentException")
    assert "is neither an upgrade or a downgrade" in refused.body["message"]


async def test_run_under_way_has_no_end_in_the_history(azure: Simulated) -> None:
    """A use that goes on has neither end nor result, until it is over."""
    endpoint = await plant(azure, "in use", executions=[{"days_ago": 0, "seconds": 3600, "result": "failed"}])
    running = (await history(azure, endpoint["id"])).body["value"][0]["data"]
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": 3601})
    over = (await history(azure, endpoint["id"])).body["value"][0]["data"]
    assert {"finishTime", "result"} & running.keys() == set()
    assert (over["result"], over["finishTime"] > running["startTime"]) == ("failed", True)
