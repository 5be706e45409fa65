"""What Entra takes in place of a secret: an assertion that a federated credential trusts."""

import httpx
import jwt
import pytest

from local.azure.cloud import Cloud
from local.azure.entra import Entra
from local.azure.entra_federation import BEARER
from local.azure.tokens import Subject
from local.azure.wire import service_app

EXCHANGE = "api://AzureADTokenExchange"
ISSUER, WORKLOAD = "https://vstoken.dev.azure.com/1", "sc://contoso/Web/prod"


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    """A tenant with an application that trusts one workload, and a managed identity that it trusts too."""
    cloud = Cloud(1)
    cloud.add(Entra(cloud))
    cloud.services["entra"].seed({"identities": {"runner": {}}})
    own = {
        "issuer": f"{cloud.url('login')}/{cloud.tenant}/v2.0",
        "subject": cloud.directory.identity("runner").object_id,
    }
    trusted = {"azdo": {"issuer": ISSUER, "subject": WORKLOAD}, "runner": own}
    cloud.services["entra"].seed({"applications": {"app": {"federated_credentials": trusted}}})
    return cloud


async def code(cloud: Cloud, assertion: str, kind: str = BEARER) -> int:
    """Sign the application in; return the AADSTS code of the refusal, 0 for a token."""
    form = {
        "grant_type": "client_credentials",
        "client_id": cloud.directory.application("app").app_id,
        "scope": "https://management.azure.com/.default",
        "client_assertion_type": kind,
        "client_assertion": assertion,
    }
    entra = httpx.ASGITransport(app=service_app(cloud.services["entra"]))
    async with httpx.AsyncClient(transport=entra, base_url="https://login.localhost") as client:
        answer = (await client.post(f"/{cloud.tenant}/oauth2/v2.0/token", data=form)).json()
    return 0 if "access_token" in answer else int(answer["error_codes"][0])


@pytest.mark.parametrize(
    ("issuer", "subject", "audience", "expected"),
    [
        (ISSUER, WORKLOAD, EXCHANGE, 0),
        (f"{ISSUER}/", WORKLOAD, EXCHANGE, 700211),
        (ISSUER, f"{WORKLOAD}2", EXCHANGE, 700213),
        (ISSUER, WORKLOAD.upper(), EXCHANGE, 7002138),
        (ISSUER, WORKLOAD, "api://other", 700212),
    ],
)
async def test_each_part_is_compared_exactly(
    cloud: Cloud, issuer: str, subject: str, audience: str, expected: int
) -> None:
    """A slash, a letter's case or another audience are enough to be refused, each with its own code."""
    assert await code(cloud, cloud.tokens.assertion(issuer, subject, audience, 600)) == expected


async def test_assertions_that_nobody_made_or_that_are_too_old_are_refused(cloud: Cloud) -> None:
    """A wrong signature, an expired assertion and one of an unknown type are no sign-in."""
    forged = jwt.encode({"iss": ISSUER, "sub": WORKLOAD, "aud": EXCHANGE}, "k" * 32, algorithm="HS256")
    good = cloud.tokens.assertion(ISSUER, WORKLOAD, EXCHANGE, 600)
    assert await code(cloud, forged) == 700027
    assert await code(cloud, cloud.tokens.assertion(ISSUER, WORKLOAD, EXCHANGE, -1)) == 700024
    assert await code(cloud, good, "password") == 7000216


async def test_a_managed_identity_is_trusted_by_its_own_token(cloud: Cloud) -> None:
    """A managed identity's token for the exchange signs in the application that trusts it."""
    runner = cloud.directory.identity("runner")
    subject = Subject(cloud.tenant, runner.client_id, runner.object_id, EXCHANGE, frozenset())
    assert await code(cloud, cloud.tokens.issue(subject, 600)) == 0
