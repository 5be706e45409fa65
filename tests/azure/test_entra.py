"""Sign-in and managed identity as the unmodified identity SDK and bare requests meet them."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import ClientSecretCredential, ManagedIdentityCredential

from local.azure.directory import Application, Password
from tests.azure.simulated import Answer, Simulated, simulated

GRAPH = "https://graph.microsoft.com/.default"
DOCUMENT: dict[str, Any] = {
    "canary": "CANARY",
    "identities": {"rekey": {"app_roles": ["Application.ReadWrite.OwnedBy"]}},
    "applications": {
        "app": {
            "passwords": [
                {"days": 20},
                {"days": -1},
                {"starts": "2999-01-01T00:00:00Z", "expires": "3000-01-01T00:00:00Z"},
            ]
        },
        "bare": {"service_principal": False, "passwords": [{}]},
    },
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with applications and one identity."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


def new_password(azure: Simulated, name: str = "app") -> Password:
    """Return a password that was written just now."""
    now = azure.cloud.clock.now()
    return azure.cloud.directory.add_password(
        azure.cloud.directory.application(name), None, now, now.replace(year=2999)
    )


async def sign_in(azure: Simulated, tenant: str | None = None, **changed: str | None) -> Answer:
    """Ask the token endpoint; a field changed to None is left out."""
    app = azure.cloud.directory.application("app")
    form = {
        "grant_type": "client_credentials",
        "client_id": app.app_id,
        "client_secret": app.passwords[0].value,
        "scope": GRAPH,
        **changed,
    }
    url = f"{azure.cloud.url('login')}/{tenant or azure.cloud.tenant}/oauth2/v2.0/token"
    async with azure.session.post(url, data={k: v for k, v in form.items() if v is not None}) as response:
        return Answer(response.status, await response.json(), response.headers)


async def sdk_sign_in(azure: Simulated, app: Application, secret: str) -> str:
    """Sign in with the SDK and return the token."""
    authority = azure.cloud.url("login")
    async with ClientSecretCredential(
        azure.cloud.tenant,
        app.app_id,
        secret,
        authority=authority,
        disable_instance_discovery=True,
        connection_verify=azure.ca,
    ) as credential:
        return (await credential.get_token(GRAPH)).token


async def test_sdk_signs_in(azure: Simulated) -> None:
    """The unmodified SDK signs in; the token names application, tenant, audience; the published key signed it."""
    app = azure.cloud.directory.application("app")
    token = await sdk_sign_in(azure, app, app.passwords[0].value)
    keys = await azure.call("GET", f"{azure.cloud.url('login')}/{azure.cloud.tenant}/discovery/v2.0/keys")
    key = jwt.PyJWK(keys.body["keys"][0])
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="https://graph.microsoft.com")
    assert (claims["appid"], claims["tid"], claims["oid"]) == (app.app_id, azure.cloud.tenant, app.service_principal)


async def test_sdk_meets_the_real_refusal(azure: Simulated) -> None:
    """A wrong secret fails in the SDK with the code that programs look for, and the secret isn't in the message."""
    app = azure.cloud.directory.application("app")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215") as refused:
        await sdk_sign_in(azure, app, "CANARYwrong")
    assert "CANARYwrong" not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"client_id": "7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11"}, 400, "unauthorized_client", 700016),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"scope": "User.Read"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://evil.example/.default"}, 400, "invalid_resource", 500011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"tenant": "contoso.example"}, 400, "invalid_request", 90002),
    ],
)
async def test_refusals(azure: Simulated, changed: dict[str, Any], status: int, error: str, code: int) -> None:
    """Each wrong request is refused with Entra's own status, error and AADSTS code, in its shape."""
    answer = await sign_in(azure, **changed)
    assert (answer.status, answer.body["error"], answer.body["error_codes"]) == (status, error, [code])
    assert answer.body["error_description"].startswith(f"AADSTS{code}: ")
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= answer.body.keys()


@pytest.mark.parametrize(("index", "code"), [(1, 7000222), (2, 7000215)])
async def test_validity_of_a_password(azure: Simulated, index: int, code: int) -> None:
    """An expired password and one that isn't valid yet are refused with their own codes."""
    secret = azure.cloud.directory.password_value("app", index)
    assert (await sign_in(azure, client_secret=secret)).body["error_codes"] == [code]


async def test_time_expires_a_password(azure: Simulated) -> None:
    """A password works until the simulated clock passes its end."""
    assert (await sign_in(azure)).status == 200
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": "P21D"})
    assert (await sign_in(azure)).body["error_codes"] == [7000222]


async def test_application_without_service_principal(azure: Simulated) -> None:
    """An application that the tenant has no service principal of can't sign in."""
    bare = azure.cloud.directory.application("bare")
    answer = await sign_in(azure, client_id=bare.app_id, client_secret=bare.passwords[0].value)
    assert answer.body["error_codes"] == [7000229]


async def test_a_new_password_propagates(azure: Simulated) -> None:
    """A new password is refused as if it were wrong until the propagation delay is over."""
    await azure.call("POST", f"{azure.control}/_sim/faults", body={"service": "entra", "propagation": {"seconds": 60}})
    secret = new_password(azure).value
    assert (await sign_in(azure, client_secret=secret)).body["error_codes"] == [7000215]
    azure.cloud.clock.advance(timedelta(seconds=61))
    assert (await sign_in(azure, client_secret=secret)).status == 200


async def test_replicas_disagree(azure: Simulated) -> None:
    """With replicas that disagree, a sign-in fails after one that worked, repeatably by seed, until it is over."""
    switch = {"service": "entra", "propagation": {"seconds": 60, "mode": "successes_before_failure", "seed": 7}}
    seen: list[list[int]] = []
    for _ in range(2):
        await azure.call("POST", f"{azure.control}/_sim/faults", body=switch)
        secret = new_password(azure).value
        seen.append([(await sign_in(azure, client_secret=secret)).status for _ in range(12)])
    assert seen[0] == seen[1]
    assert 401 in seen[0][seen[0].index(200) :]


async def test_a_removed_password_is_refused(azure: Simulated) -> None:
    """A removed password is a wrong one."""
    app = azure.cloud.directory.application("app")
    assert azure.cloud.directory.remove_password(app, app.passwords[0].key_id)
    assert (await sign_in(azure)).body["error_codes"] == [7000215]


async def test_basic_authentication(azure: Simulated) -> None:
    """The client may authenticate by header instead of by form."""
    app = azure.cloud.directory.application("app")
    basic = base64.b64encode(f"{app.app_id}:{app.passwords[0].value}".encode()).decode()
    url = f"{azure.cloud.url('login')}/{azure.cloud.tenant}/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "scope": GRAPH}
    async with azure.session.post(url, data=form, headers={"Authorization": f"Basic {basic}"}) as response:
        assert response.status == 200


async def test_metadata(azure: Simulated) -> None:
    """Discovery names the endpoints that answer."""
    base = f"{azure.cloud.url('login')}/{azure.cloud.tenant}"
    found = (await azure.call("GET", f"{base}/v2.0/.well-known/openid-configuration")).body
    assert found["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert (await azure.call("GET", found["jwks_uri"])).status == 200
    instance = await azure.call("GET", f"{azure.cloud.url('login')}/common/discovery/instance?api-version=1.1")
    assert instance.body["metadata"][0]["aliases"] == [f"login.localhost:{azure.cloud.port}"]


async def test_managed_identity_sdk(azure: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unmodified SDK gets a token for a user-assigned identity and a clear error for an unknown one."""
    told = json.loads((tmp_path / "azure.json").read_text())
    monkeypatch.setenv("IDENTITY_ENDPOINT", told["identity_endpoint"])
    monkeypatch.setenv("IDENTITY_HEADER", told["identity_header"])
    identity = azure.cloud.directory.identity("rekey")
    async with ManagedIdentityCredential(client_id=identity.client_id) as credential:
        token = (await credential.get_token("https://vault.azure.net/.default")).token
    assert (
        azure.cloud.tokens.caller(token, {"https://vault.azure.net"}, azure.cloud.tenant).object_id
        == identity.object_id
    )
    async with ManagedIdentityCredential(client_id="9b1c7a52-3d3c-4f57-9f62-5bd2a6f3c1ce") as stranger:
        with pytest.raises(ClientAuthenticationError, match="No User Assigned or Delegated Managed Identity found"):
            await stranger.get_token("https://vault.azure.net/.default")


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "api-version=2019-08-01&resource=https://vault.azure.net", 401),
        ({"X-IDENTITY-HEADER": "guess"}, "api-version=2019-08-01&resource=https://vault.azure.net", 403),
        (None, "api-version=2017-09-01&resource=https://vault.azure.net", 400),
        (None, "api-version=2019-08-01&resource=https://evil.example", 400),
        (None, "api-version=2019-08-01&resource=https://vault.azure.net", 200),
    ],
)
async def test_managed_identity_endpoint(
    azure: Simulated, tmp_path: Path, headers: dict[str, str] | None, query: str, status: int
) -> None:
    """Tokens are handed out only to who knows the header and asks for a resource there is; fields are the real ones."""
    told = json.loads((tmp_path / "azure.json").read_text())
    sent = {"X-IDENTITY-HEADER": told["identity_header"]} if headers is None else headers
    answer = await azure.call("GET", f"{told['identity_endpoint']}?{query}", headers=sent)
    assert answer.status == status
    if status == 200:
        assert answer.body.keys() == {"access_token", "expires_on", "resource", "token_type", "client_id"}
        assert isinstance(answer.body["expires_on"], str)


async def test_tokens_of_another_cloud_are_refused(azure: Simulated) -> None:
    """A token that another key signed opens nothing."""
    forged = jwt.encode({"aud": "https://graph.microsoft.com", "appid": "x"}, "k" * 32, algorithm="HS256")
    answer = await azure.call("GET", f"{azure.cloud.url('graph')}/v1.0/applications", token=forged)
    assert answer.status == 401


async def test_passwords_start_with_the_canary(azure: Simulated) -> None:
    """Whatever password the cloud makes carries the canary and looks like Entra's: 40 characters."""
    secret = azure.cloud.directory.password_value("app")
    assert secret.startswith("CANARY")
    assert len(secret) == 40
