"""Clients never speak to anybody but their own service, whatever they are told to."""

import asyncio.selector_events
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from kiota_abstractions.api_error import APIError
from kiota_authentication_azure._exceptions import HTTPError as NoTokenError

from rekey.clients import Clients
from rekey.errors import PermanentError, ScopeError
from rekey.secret_value import SecretValue
from rekey.vault import Vault
from tests.azure.simulated import StaticCredential
from tests.core.rogue import Rogue, rogue
from tests.rekey.toys import VAULT, settings

type Ask = Callable[[Clients, str], Awaitable[Any]]

ORIGINS = {
    "azure-devops": "https://dev.azure.com",
    "azure-devops releases": "https://vsrm.dev.azure.com",
    "authority": "https://login.microsoftonline.com",
    "graph": "https://graph.microsoft.com",
    "blobs": "https://shopdata.blob.core.windows.net",
    "resource-manager": "https://management.azure.com",
    "mail": "https://rekey.europe.communication.azure.com",
    "vault": f"https://{VAULT}.vault.azure.net",
}

HOSTILE = (
    "http://{host}/x",
    "https://evil.example/x",
    "https://{host}.evil.example/x",
    "https://{host}@evil.example/x",
    "https://token:x@{host}/x",
    "https://evil.example#@{host}/x",
    "https://evil.example?@{host}/x",
    "https://evil.example\\@{host}/x",
    "https://{host}:8443/x",
    "https://{host}./x",
    "https://{host}%2eevil.example/x",
    "https://{host}\u3002evil.example/x",
    "https://127.0.0.1/x",
    "https://2130706433/x",
    "https://[::1]/x",
    "https://169.254.169.254/metadata/identity/oauth2/token",
    "https://localhost/x",
    "ftp://{host}/x",
)


async def ask_azure_devops(clients: Clients, url: str) -> Any:
    """Send a request through the Azure DevOps pipeline."""
    return await clients.azure_devops().send_request(HttpRequest("GET", url))


async def ask_azure_devops_releases(clients: Clients, url: str) -> Any:
    """Send a request through the pipeline of classic releases."""
    return await clients.azure_devops_releases().send_request(HttpRequest("GET", url))


async def ask_authority(clients: Clients, url: str) -> Any:
    """Send a request through the token endpoint's pipeline."""
    return await clients.authority().send_request(HttpRequest("POST", url))


async def ask_vault(clients: Clients, url: str) -> Any:
    """Send a request through the vault's client."""
    return await clients.vault(VAULT).send_request(HttpRequest("GET", url))


async def ask_mail(clients: Clients, url: str) -> Any:
    """Send a request through the mail client's pipeline."""
    return await clients.mail()._client.send_request(HttpRequest("POST", url))


async def ask_graph(clients: Clients, url: str) -> Any:
    """Follow a link as Graph's SDK does with `@odata.nextLink`."""
    return await clients.graph().applications.with_url(url).get()


async def ask_resource_manager(clients: Clients, url: str) -> Any:
    """Send a request through the pipeline of Azure Resource Manager."""
    return await clients.resource_manager().send_request(HttpRequest("GET", url))


async def ask_blobs(clients: Clients, url: str) -> Any:
    """Send a request that is signed with a storage account's key."""
    pipeline: Any = clients.signed_blobs("shopdata", SecretValue("a2V5" * 22))._pipeline
    return await pipeline.run(HttpRequest("GET", url))


ASK: dict[str, Ask] = {
    "azure-devops": ask_azure_devops,
    "azure-devops releases": ask_azure_devops_releases,
    "authority": ask_authority,
    "vault": ask_vault,
    "mail": ask_mail,
    "graph": ask_graph,
    "resource-manager": ask_resource_manager,
    "blobs": ask_blobs,
}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Refuse every look-up of a name and every connection, and return what was tried."""
    tried: list[object] = []

    def look_up(host: object, *_: object, **__: object) -> Any:
        tried.append(host)
        raise socket.gaierror(f"offline: {host!r}")

    async def connect(_loop: object, _socket: object, address: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError(f"offline: {address!r}")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", connect)
    return tried


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    """Return clients of the public cloud whose credential keeps what it is asked for."""
    made = Clients(settings())
    made._made["credential "] = StaticCredential("token")
    yield made
    await made.aclose()


@pytest.mark.parametrize("name", ASK)
async def test_own_service_is_reached(clients: Clients, offline: list[object], name: str) -> None:
    """A request to the client's own origin gets as far as the network, in any case of letters."""
    with suppress(Exception):
        await ASK[name](clients, f"{ORIGINS[name].upper().replace('HTTPS', 'https')}/x")
    assert offline, "the refusals below would prove nothing"


@pytest.mark.parametrize("url", HOSTILE)
@pytest.mark.parametrize("name", ASK)
async def test_request_elsewhere_is_refused(clients: Clients, offline: list[object], name: str, url: str) -> None:
    """A request that leaves the client's origin opens no socket, looks no name up, and has no token sent."""
    # Some are no URLs to the SDK, which is as good.
    with pytest.raises((PermanentError, ValueError, httpx.InvalidURL, NoTokenError)) as caught:
        await ASK[name](clients, url.format(host=ORIGINS[name].removeprefix("https://")))
    assert offline == []
    if isinstance(caught.value, PermanentError):
        assert caught.value.code == "wrong-host"
        assert "token:x" not in caught.value.message


@pytest.mark.parametrize("name", [n for n in ASK if n != "graph"])
async def test_no_token_is_fetched_for_elsewhere(clients: Clients, offline: list[object], name: str) -> None:
    """Pinning comes before authentication: there is no token yet that could go astray."""
    with pytest.raises(PermanentError):
        await ASK[name](clients, "https://evil.example/x")
    credential: StaticCredential = clients._made["credential "]
    assert credential.scopes == []
    assert offline == []


def test_unknown_vault_is_refused_before_there_is_a_client(clients: Clients) -> None:
    """A vault that no scope names gets no client, however it is spelled."""
    for name in ("evil", "kv-unknown", f"{VAULT}.evil", f"{VAULT}/", "evil.example/", ""):
        with pytest.raises(ScopeError):
            clients.vault(name)


async def test_vault_is_one_client_in_any_case(clients: Clients) -> None:
    """A vault's client is made once, whatever the letters' case."""
    assert clients.vault(VAULT.upper()) is clients.vault(VAULT)


async def test_closed_clients_can_be_used_again(clients: Clients) -> None:
    """After closing, the next use makes a new client."""
    before = clients.vault(VAULT)
    await clients.aclose()
    assert clients.vault(VAULT) is not before


async def test_what_is_remembered_is_asked_once(clients: Clients) -> None:
    """An answer is kept for its time; an error is not."""
    asked: list[int] = []

    async def ask() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise ConnectionError
        return len(asked)

    with pytest.raises(ConnectionError):
        await clients.remember("x", 60, ask)
    assert [await clients.remember("x", 60, ask) for _ in range(3)] == [2, 2, 2]
    assert await clients.remember("y", -1, ask) == 3
    assert await clients.remember("y", -1, ask) == 4


async def _redirect(server: Rogue, request: web.Request) -> web.StreamResponse:
    status = int(request.query.get("status", 307))
    return web.Response(status=status, headers={"Location": f"{server.elsewhere}/stolen"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", ASK)
async def test_redirects_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int
) -> None:
    """A service that sends a client elsewhere isn't obeyed: no second request, least of all with a token."""
    hosts = {"azure-devops": "azuredevops", "authority": "login", "vault": f"{VAULT}.vault", "mail": "m.mail"}
    hosts |= {"azure-devops releases": "vsrm", "resource-manager": "management", "blobs": "shopdata.blob.storage"}
    async with rogue(tmp_path, monkeypatch, _redirect) as server:
        host = f"{hosts.get(name, name)}.localhost"
        with suppress(HttpResponseError, APIError, PermanentError):
            await ASK[name](server.clients, f"https://{host}:{server.port}/x?status={status}")
        assert server.hosts() == {host}
        assert len(server.asked) == 1


async def test_next_page_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault whose next page is somewhere else isn't followed there."""

    async def behave(server: Rogue, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"value": [], "nextLink": f"{server.elsewhere}/secrets?page=2"})

    async with rogue(tmp_path, monkeypatch, behave) as server:
        with pytest.raises(PermanentError) as caught:
            async for _ in server.clients.vault(VAULT).list_properties_of_secrets():
                pass
        assert caught.value.code == "wrong-host"
        assert server.hosts() == {f"{VAULT}.vault.localhost"}


async def test_challenge_of_another_resource_gets_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that asks for a token of some other service gets none, and the secret isn't sent."""

    async def behave(_server: Rogue, _request: web.Request) -> web.StreamResponse:
        said = 'Bearer authorization="https://login.evil.example/x", resource="https://management.azure.com"'
        return web.Response(status=401, headers={"WWW-Authenticate": said})

    async with rogue(tmp_path, monkeypatch, behave) as server:
        with pytest.raises(PermanentError, match="refused to send"):
            await Vault(server.clients.vault(VAULT), VAULT).current("x")
        assert server.credential.scopes == []
        assert [with_token for _, _, with_token in server.asked] == [False]
