"""Azure DevOps' connections without a key, and what their sign-in at Entra takes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.azure.contracts import needs_contracts, validate_definition
from tests.azure.simulated import Answer, Simulated, simulated

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
PREVIEW_SPEC = "azure-devops/specification/serviceEndpoint/7.2/serviceEndpoint.json"
ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
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
                    "applications": {"app": {"passwords": [{}]}},
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
