"""Role assignments and definitions in the simulated Azure Resource Manager: who may grant what, and the rules."""

import re
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from local.azure.arm_condition import Condition
from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")
_FOLDER = "arm-authorization/specification/authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01"
ASSIGNMENTS, DEFINITIONS = (
    f"{_FOLDER}/authorization-{name}Calls.json" for name in ("RoleAssignments", "RoleDefinitions")
)
SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111"
GROUP = f"{SUBSCRIPTION}/resourceGroups/shop"
OF_GROUP = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments"
READER, CONTRIBUTOR = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "b24988ac-6180-42a0-ab88-20f7382dd24c"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
TYPE = "Microsoft.Authorization/roleAssignments"
CONDITION = f"""
(
 (
  !(ActionMatches{{'{TYPE}/write'}})
 )
 OR
 (
  @Request[{TYPE}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{READER}, {CONTRIBUTOR}}}
  AND
  @Request[{TYPE}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}
 )
)
AND
(
 (
  !(ActionMatches{{'{TYPE}/delete'}})
 )
 OR
 (
  @Resource[{TYPE}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{READER}, {CONTRIBUTOR}}}
  AND
  @Resource[{TYPE}:PrincipalType] StringEqualsIgnoreCase 'ServicePrincipal'
 )
)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulated]:
    """An unlimited and a limited giver of roles, a contributor, who may give none, and those who are given them."""
    with pytest.MonkeyPatch.context() as patch:
        async with simulated(tmp_path_factory.mktemp("azure"), patch) as running:
            held = {
                "administrator": "User Access Administrator",
                "contributor": "Contributor",
                "worker": "Website Contributor",
            }
            limited = {"role": "Role Based Access Control Administrator", "condition": CONDITION}
            await running.seed(
                {
                    "identities": {name: {} for name in (*held, "limited", "given")},
                    "applications": {"deployer": {}},
                    "users": {"ann@contoso.example": {}},
                    "role_assignments": [
                        *({"identity": who, "role": role, "scope": SUBSCRIPTION} for who, role in held.items()),
                        {"identity": "deployer", "role": "Contributor", "scope": GROUP},
                        {"identity": "limited", "scope": SUBSCRIPTION, **limited},
                    ],
                }
            )
            yield running


async def arm(
    azure: Simulated, method: str, path: str, body: Any = None, who: str = "administrator", query: str = ""
) -> Answer:
    """Send one request to Azure Resource Manager."""
    url = f"{azure.cloud.url('management')}{path}?api-version=2022-04-01{query}"
    return await azure.call(method, url, token=azure.token(who, "https://management.azure.com"), body=body)


def wanted(principal: str, role: str = READER, **more: Any) -> dict[str, Any]:
    """Return the body that assigns a role."""
    definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return {"properties": {"roleDefinitionId": definition, "principalId": principal} | more}


def somebody() -> str:
    """Return a principal that has no role yet, nor is it in the directory."""
    return str(uuid.uuid4())


def named(path: str = OF_GROUP) -> str:
    """Return the path of an assignment that isn't there yet."""
    return f"{path}/{uuid.uuid4()}"


@needs_contracts
async def test_what_it_takes_and_answers_is_what_is_specified(azure: Simulated) -> None:
    """Every operation's request and answer fits the published specification, with its statuses."""
    body, one = wanted(somebody(), principalType="ServicePrincipal", description="rekey"), named()
    definition = f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions"
    for spec, operation, method, path, sent, status in (
        (ASSIGNMENTS, "RoleAssignments_Create", "PUT", one, body, 201),
        (ASSIGNMENTS, "RoleAssignments_Create", "PUT", one, body, 200),
        (ASSIGNMENTS, "RoleAssignments_Get", "GET", one, None, 200),
        (ASSIGNMENTS, "RoleAssignments_ListForScope", "GET", OF_GROUP, None, 200),
        (ASSIGNMENTS, "RoleAssignments_Delete", "DELETE", one, None, 200),
        (ASSIGNMENTS, "RoleAssignments_Delete", "DELETE", one, None, 204),
        (DEFINITIONS, "RoleDefinitions_List", "GET", definition, None, 200),
        (DEFINITIONS, "RoleDefinitions_Get", "GET", f"{definition}/{READER}", None, 200),
    ):
        validate_request(spec, operation, sent, {"api-version": "2022-04-01"})
        answer = await arm(azure, method, path, sent)
        assert answer.status == status, answer.body
        validate_response(spec, operation, status, answer.body or None)


async def test_an_assigned_role_counts_and_a_removed_one_does_not(azure: Simulated) -> None:
    """What was granted is allowed, after the delay that is switched on, until it is taken away."""
    azure.cloud.switches.set({"service": "arm", "propagation": {"seconds": 600}})
    principal, one = azure.cloud.directory.identity("given").object_id, named()
    assert (await arm(azure, "PUT", one, wanted(principal))).status == 201
    azure.cloud.switches.set({"service": "arm", "propagation": {"seconds": 0}})
    assert (await arm(azure, "GET", OF_GROUP, who="given")).status == 403
    azure.cloud.clock.advance(timedelta(seconds=601))
    assert (await arm(azure, "GET", OF_GROUP, who="given")).status == 200
    await arm(azure, "DELETE", one)
    assert (await arm(azure, "GET", OF_GROUP, who="given")).status == 403


async def test_the_same_assignment_is_there_once(azure: Simulated) -> None:
    """Principal, role and scope exist under one name, and a name means one assignment."""
    principal, one = somebody(), named()
    body = wanted(principal, principalType="ServicePrincipal")
    assert (await arm(azure, "PUT", one, body)).status == 201
    again = await arm(azure, "PUT", named(), body)
    assert (again.status, again.body["error"]["code"]) == (409, "RoleAssignmentExists")
    assert one.rpartition("/")[2].replace("-", "") in again.body["error"]["message"]
    other = await arm(azure, "PUT", one, wanted(principal, CONTRIBUTOR, principalType="ServicePrincipal"))
    assert (other.status, other.body["error"]["code"]) == (400, "RoleAssignmentUpdateNotPermitted")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (wanted("0" * 8 + "-0000-0000-0000-" + "0" * 12), 400, "PrincipalNotFound"),
        (wanted("given", principalType="User"), 400, "UnmatchedPrincipalType"),
        (wanted("given", "00000000-0000-0000-0000-000000000000"), 404, "RoleDefinitionDoesNotExist"),
        ({"properties": {"principalId": "given"}}, 400, "InvalidRequestContent"),
        (wanted("given", condition="@Request[x] StringEquals 'y'"), 400, "InvalidCondition"),
    ],
)
async def test_assignments_that_do_not_fit_are_refused(azure: Simulated, body: Any, status: int, code: str) -> None:
    """Somebody unknown, another type, a role that isn't there, a body without one: each has its code."""
    properties = dict(body["properties"])
    if properties["principalId"] == "given":
        properties["principalId"] = azure.cloud.directory.identity("given").object_id
    answer = await arm(azure, "PUT", named(), {"properties": properties})
    assert (answer.status, answer.body["error"]["code"]) == (status, code)


async def test_a_principal_that_is_not_replicated_needs_its_type(azure: Simulated) -> None:
    """A managed identity made a moment ago gets a role only if the request says what it is."""
    azure.cloud.switches.set({"service": "graph", "propagation": {"principal_seconds": 60}})
    await azure.seed(
        {"role_assignments": [{"identity": "limited", "role": "Managed Identity Contributor", "scope": GROUP}]}
    )
    path = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/fresh"
    url = f"{azure.cloud.url('management')}{path}?api-version=2023-01-31"
    caller = azure.token("limited", "https://management.azure.com")
    made = await azure.call("PUT", url, token=caller, body={"location": "westeurope"})
    principal = made.body["properties"]["principalId"]
    refused = await arm(azure, "PUT", named(), wanted(principal))
    assert (refused.status, refused.body["error"]["code"]) == (400, "PrincipalNotFound")
    answer = await arm(azure, "PUT", named(), wanted(principal, principalType="ServicePrincipal"))
    assert answer.status == 201


@pytest.mark.parametrize(
    ("who", "role", "principal_type", "words"),
    [
        ("limited", READER, "ServicePrincipal", None),
        ("limited", OWNER, "ServicePrincipal", "has an authorization with ABAC condition that is not fulfilled"),
        ("limited", READER, "User", "has an authorization with ABAC condition that is not fulfilled"),
        ("contributor", READER, "ServicePrincipal", "does not have authorization"),
        ("worker", READER, "ServicePrincipal", "does not have authorization"),
    ],
)
async def test_who_may_give_what_to_whom(
    azure: Simulated, who: str, role: str, principal_type: str, words: str | None
) -> None:
    """A condition allows some roles to some principals; other roles than those for access give none at all."""
    answer = await arm(azure, "PUT", named(), wanted(somebody(), role, principalType=principal_type), who)
    assert answer.status == (201 if words is None else 403)
    assert words is None or words in answer.body["error"]["message"]


async def test_what_may_not_be_given_may_not_be_taken_away(azure: Simulated) -> None:
    """The condition holds for deletions too."""
    reader, owner = named(), named()
    for path, role in ((reader, READER), (owner, OWNER)):
        await arm(azure, "PUT", path, wanted(somebody(), role, principalType="ServicePrincipal"))
    assert (await arm(azure, "DELETE", reader, who="limited")).status == 200
    assert (await arm(azure, "DELETE", owner, who="limited")).status == 403


async def test_lists_are_of_a_scope_and_of_a_principal(azure: Simulated) -> None:
    """Without a filter everything at, above and below; atScope leaves out what is below."""
    deployer = azure.cloud.directory.application("deployer").service_principal
    site = f"{GROUP}/providers/Microsoft.Web/sites/shop"
    await arm(azure, "PUT", named(f"{site}/providers/{TYPE}"), wanted(str(deployer)))

    async def scopes(query: str, scope: str = GROUP) -> list[str]:
        answer = await arm(azure, "GET", f"{scope}/providers/{TYPE}", query=f"&$filter={query}")
        return sorted(one["properties"]["scope"] for one in answer.body["value"])

    for query in (f"principalId eq '{deployer}'", f"principalId eq {deployer}", f"assignedTo('{deployer}')"):
        assert await scopes(query) == [GROUP, site]
    assert await scopes(f"atScope() and assignedTo('{deployer}')") == [GROUP]
    assert await scopes(f"assignedTo('{deployer}')", f"{SUBSCRIPTION}/resourceGroups/other") == []
    assert (await arm(azure, "GET", OF_GROUP, query="&$filter=type eq 'x'")).status == 400


async def test_definitions_are_found_by_name_and_by_guid(azure: Simulated) -> None:
    """A role has its published GUID, and says what it doesn't allow."""
    path = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    (found,) = (await arm(azure, "GET", path, query="&$filter=roleName eq 'Contributor'")).body["value"]
    assert found["id"] == f"{path}/{CONTRIBUTOR}"
    assert found["properties"]["permissions"][0]["notActions"][1] == "Microsoft.Authorization/*/Write"
    assert (await arm(azure, "GET", f"{path}/{OWNER}")).body["properties"]["roleName"] == "Owner"
    assert (await arm(azure, "GET", f"{path}/{uuid.uuid4()}")).status == 404


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"@Request[{TYPE}:PrincipalType] StringEqualsIgnoreCase 'User'",
        CONDITION.replace("@Request", "@Resource"),
        CONDITION.replace(READER, "Reader"),
        CONDITION + "AND",
        CONDITION.replace("ForAnyOfAnyValues:GuidEquals", "ForAnyOfAllValues:GuidNotEquals"),
    ],
)
async def test_a_condition_of_another_form_is_not_taken(azure: Simulated, text: str) -> None:
    """What isn't evaluated is refused when it is seeded, and named."""
    part = {"identity": "given", "role": "Owner", "scope": GROUP, "condition": text}
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body={"role_assignments": [part]})
    assert answer.status == 400
    assert "role_assignments.0.condition: got" in answer.body["error"]


async def test_a_condition_may_limit_one_operation_and_leave_types_open() -> None:
    """A condition on writing alone says nothing of deletions; one without types is for all of them."""
    text = (
        f"((!(ActionMatches{{'{TYPE}/write'}})) OR "
        f"(@Request[{TYPE}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{READER}}}))"
    )
    condition = Condition.parsed(text)
    assert condition.allows("write", READER, "User")
    assert not condition.allows("write", OWNER, "User")
    assert condition.allows("delete", OWNER, "User")


async def test_the_condition_that_is_deployed_is_one_that_is_evaluated() -> None:
    """What limits the app that vends in Azure limits it here: some roles, to service principals, both ways."""
    template = (Path(__file__).parents[2] / "infra/app/vending.bicep").read_text()
    values = {"assignments": TYPE, "granted": f"{READER}, {CONTRIBUTOR}"}
    for name in ("making", "deleting", "condition"):
        (text,) = re.findall(rf"^var {name} = '(.*)'$", template, re.MULTILINE)
        values[name] = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text.replace("\\'", "'"))
    condition = Condition.parsed(values["condition"])
    for operation in ("write", "delete"):
        assert condition.allows(operation, READER, "ServicePrincipal")
        assert not condition.allows(operation, OWNER, "ServicePrincipal")
        assert not condition.allows(operation, READER, "User")
