"""Makes every SDK client and credential there is: one per endpoint and process, pinned to that endpoint.

SDKs are imported when their client is first asked for, so that a process pays only for what it uses. Redirects are
never followed, and a request that would leave its client's origin is refused before a token is fetched: azure-core's
bearer policy would send one to any host it is pointed at, and so would kiota's with explicit scopes.
"""

import contextlib
import functools
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rekey import log_levels, names
from rekey.before_sending import pinned_to, refuse_elsewhere, sent_in_time
from rekey.caller import Caller
from rekey.errors import PermanentError
from rekey.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx
    from azure.communication.email.aio import EmailClient
    from azure.core import AsyncPipelineClient
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.rest import AsyncHttpResponse, HttpRequest
    from azure.keyvault.secrets.aio import SecretClient
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient
    from azure.storage.queue.aio import QueueClient
    from msgraph.graph_service_client import GraphServiceClient

    from rekey.secret_value import SecretValue

TIMEOUTS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 30}
"""Seconds; a step is retried by its orchestrator, so that no single call needs to wait long."""

NO_RETRY: dict[str, Any] = {"retry_total": 0}
"""For a write that isn't idempotent: azure-core repeats even a POST after a 503; one looks before repeating."""


class Clients:
    """The process's shared clients. Use them on the one event loop that the Functions worker runs."""

    def __init__(self, settings: Settings) -> None:
        log_levels.pin()
        self.settings = settings
        self._made: dict[str, Any] = {}
        self._known: dict[str, tuple[float, Any]] = {}

    def vault(self, name: str) -> "SecretClient":
        """Return the client of a vault that settings allow, or of the staging vault; else ScopeError."""
        if name.lower() != self.settings.staging_vault.lower():
            self.settings.scope_of(name)
        return self._once(f"vault {name.lower()}", functools.partial(self._vault, name.lower()))

    def graph(self) -> "GraphServiceClient":
        """Return the Microsoft Graph client; it repeats nothing on its own."""
        return self._once("graph", self._graph)

    def azure_devops(self) -> "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]":
        """Return a pipeline for the Azure DevOps REST API; it repeats nothing on its own."""
        return self._azure_devops(self.settings.cloud.azure_devops)

    def azure_devops_releases(self) -> "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]":
        """Return the same for classic releases, which have a host of their own."""
        return self._azure_devops(self.settings.cloud.azure_devops_release)

    def _azure_devops(self, origin: str) -> "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]":
        scope = f"{self.settings.cloud.azure_devops_resource}/.default"
        return self._once(f"azure-devops {origin}", lambda: self._pipeline(origin, "azure-devops", scope))

    def resource_manager(self) -> "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]":
        """Return a pipeline for Azure Resource Manager; it repeats nothing on its own."""
        origin = self.settings.cloud.resource_manager
        return self._once("resource-manager", lambda: self._pipeline(origin, "resource-manager", f"{origin}/.default"))

    def authority(self) -> "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]":
        """Return a pipeline for Entra's token endpoint: no bearer token, no retries."""
        return self._once("authority", lambda: self._pipeline(self.settings.cloud.authority))

    def mail(self) -> "EmailClient":
        """Return the Communication Services client."""
        return self._once("mail", self._mail)

    def container(self) -> "ContainerClient":
        """Return the blob container of records, leases and the outbox."""
        return self._once("storage", lambda: self._container_in(self.settings.storage, names.CONTAINER))

    def audit_logs(self, account: int) -> "ContainerClient":
        """Return the container of Key Vault's audit logs in the account of that number in REKEY_AUDIT_STORAGE."""
        storage = self.settings.audit.storage[account]
        return self._once(f"audit logs {account}", lambda: self._container_in(storage, names.AUDIT_LOGS))

    def poison_queue(self) -> "QueueClient | None":
        """Return the queue of the events that could not be understood; None if settings don't say where it is."""
        return self._once("poison queue", self._poison_queue)

    def signed_blobs(self, account: str, key: "SecretValue") -> "BlobServiceClient":
        """Return a client of the blob service of an account that settings allow, which signs with a key of it.

        It shares the account's connections, so that it is neither kept, for it has the key, nor closed.
        """
        from azure.storage.blob.aio import BlobServiceClient

        origin = self.settings.cloud.blob_url(account)
        transport = self._once(f"blobs {account}", lambda: _transport()["transport"])
        return BlobServiceClient(
            origin,
            {"account_name": account, "account_key": key.reveal()},
            transport=transport,
            permit_redirects=False,
            _additional_pipeline_policies=[pinned_to(origin)],
            **NO_RETRY,
        )

    async def storage_ready(self) -> None:
        """Create the container on the first use by this process; NotYetError while storage doesn't answer."""
        await self.remember("container", float("inf"), self._make_container)

    async def _make_container(self) -> bool:
        from azure.core.exceptions import ResourceExistsError

        from rekey.azure_errors import translated

        try:
            with translated("storage"), contextlib.suppress(ResourceExistsError):
                await self.container().create_container()
        except PermanentError:
            return False  # an identity that may not create it finds it made, or is told so at the first use
        return True

    def credential(self, plane: str) -> "AsyncTokenCredential":
        """Return the identity for that plane: the managed identity that settings name, else the developer's sign-in."""
        client_id = self.settings.identities.get(plane, "")
        return self._once(f"credential {client_id}", functools.partial(_credential, client_id))

    async def caller(self, plane: str) -> Caller:
        """Return who the app is on that plane, read from its own access token (cached by the credential)."""
        token = await self.credential(plane).get_token(f"{self.settings.cloud.graph}/.default")
        return Caller.of(token.token)

    async def remember[T](
        self, name: str, seconds: float, ask: "Callable[[], Awaitable[T]]", *, anew: bool = False
    ) -> T:
        """Return what `ask` answered within the last `seconds`, asking if need be; errors are not remembered.

        `anew` asks in any case, for whoever wants to see what is there now; what it answers is remembered.
        """
        known = None if anew else self._known.get(name)
        if known is None or known[0] < time.monotonic():
            known = (time.monotonic() + seconds, await ask())
            self._known[name] = known
        answer: T = known[1]
        return answer

    async def aclose(self) -> None:
        """Close every client and credential made so far; the next use makes them anew."""
        made, self._made = self._made, {}
        self._known.clear()
        for one in reversed(made.values()):
            close = getattr(one, "close", None)
            if close:
                await close()

    def _once[T](self, name: str, make: "Callable[[], T]") -> T:
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def _vault(self, name: str) -> "SecretClient":
        from azure.keyvault.secrets.aio import SecretClient

        origin = self.settings.cloud.vault_url(name)
        return SecretClient(
            origin,
            self.credential("vault"),
            per_call_policies=[pinned_to(origin)],
            permit_redirects=False,
            **_transport(),
        )

    def _mail(self) -> "EmailClient":
        from azure.communication.email.aio import EmailClient

        origin = self.settings.mail_endpoint
        return EmailClient(
            origin,
            self.credential("mail"),
            per_call_policies=[pinned_to(origin)],
            permit_redirects=False,
            **_transport(),
        )

    def _container_in(self, storage: str, container: str) -> "ContainerClient":
        from azure.storage.blob.aio import ContainerClient

        if storage.startswith("https://"):
            return ContainerClient(storage, container, self.credential("storage"), **_transport())
        return ContainerClient.from_connection_string(storage, container, **_transport())

    def _poison_queue(self) -> "QueueClient | None":
        from azure.storage.queue.aio import QueueClient

        storage = self.settings.storage
        if not storage.startswith("https://"):
            return QueueClient.from_connection_string(storage, names.POISON_QUEUE, **_transport())
        if ".blob." not in storage:
            return None
        origin = storage.replace(".blob.", ".queue.", 1)
        return QueueClient(origin, names.POISON_QUEUE, credential=self.credential("storage"), **_transport())

    def _pipeline(
        self, origin: str, plane: str = "", scope: str = ""
    ) -> "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]":
        from azure.core import AsyncPipelineClient
        from azure.core.pipeline import policies

        chain: list[Any] = [pinned_to(origin), policies.RequestIdPolicy(), policies.UserAgentPolicy("rekey")]
        if scope:
            chain.append(policies.AsyncBearerTokenCredentialPolicy(self.credential(plane), scope))
            chain.append(sent_in_time())  # getting a token may have taken long
        return AsyncPipelineClient(origin, policies=[*chain, policies.HttpLoggingPolicy()], **_transport())

    def _graph(self) -> "GraphServiceClient":
        from kiota_authentication_azure.azure_identity_authentication_provider import (
            AzureIdentityAuthenticationProvider,
        )
        from msgraph.graph_request_adapter import GraphRequestAdapter
        from msgraph.graph_service_client import GraphServiceClient

        origin = self.settings.cloud.graph
        provider = AzureIdentityAuthenticationProvider(
            self.credential("graph"),
            scopes=[f"{origin}/.default"],
            allowed_hosts=[urlsplit(origin).hostname or ""],
        )
        transport = self._once("graph transport", functools.partial(_GraphTransport, origin))
        adapter = GraphRequestAdapter(provider, client=transport.client)
        adapter.base_url = f"{origin}/v1.0"
        return GraphServiceClient(request_adapter=adapter)


def _transport() -> dict[str, Any]:
    import aiohttp

    from rekey.transport import SentOnce

    return {"transport": SentOnce(aiohttp.ClientSession, **TIMEOUTS)}


def _credential(client_id: str) -> "AsyncTokenCredential":
    """Make one credential, never a chain: one that falls through would sign in as somebody else on a bad day."""
    if client_id:
        from azure.identity.aio import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=client_id)
    from azure.identity.aio import AzureCliCredential

    return AzureCliCredential()


class _GraphTransport:
    """Graph's HTTP client, and what it takes to close it: kiota's transport doesn't close the one it wraps."""

    def __init__(self, origin: str) -> None:
        plain = _graph_client(origin)
        self._wrapped = [plain._transport, *plain._mounts.values()]  # noqa: SLF001 - httpx shows them nowhere else
        self.client = _with_graph_middleware(plain)

    async def close(self) -> None:
        for transport in self._wrapped:
            if transport:
                await transport.aclose()
        await self.client.aclose()


def _graph_client(origin: str) -> "httpx.AsyncClient":
    import httpx

    async def stay(request: httpx.Request) -> None:
        refuse_elsewhere(origin, str(request.url))

    return httpx.AsyncClient(
        timeout=httpx.Timeout(TIMEOUTS["read_timeout"], connect=TIMEOUTS["connection_timeout"]),
        http2=True,
        event_hooks={"request": [stay]},
    )


def _with_graph_middleware(client: "httpx.AsyncClient") -> "httpx.AsyncClient":
    """Graph's default chain without its retries and redirects: it would repeat addPassword after a 503."""
    from kiota_http.middleware.options import RedirectHandlerOption, RetryHandlerOption
    from msgraph_core import GraphClientFactory

    options = {
        RetryHandlerOption.get_key(): RetryHandlerOption(max_retries=0, should_retry=False),
        RedirectHandlerOption.get_key(): RedirectHandlerOption(max_redirect=0, should_redirect=False),
    }
    with_middleware: httpx.AsyncClient = GraphClientFactory.create_with_default_middleware(
        client=client, options=options
    )
    return with_middleware


def signed_in_token(audience: str) -> str:
    """Return an access token of whoever is signed in to the Azure CLI, for a command; azure-core's errors."""
    from azure.identity import AzureCliCredential

    with AzureCliCredential() as credential:
        token: str = credential.get_token(f"{audience.rstrip('/')}/.default").token
    return token


@functools.cache
def clients() -> Clients:
    """Return this process's clients, made from its settings."""
    return Clients(settings())
