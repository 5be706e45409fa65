"""Each kind of fault on the wire, as a client without any SDK meets it: bytes, statuses, resets."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob.aio import ContainerClient
from azure.storage.queue.aio import QueueClient

from local.azure import resolve
from local.azure.fault_request import FaultRequest
from local.azure.faults import Fault
from local.azure.server import Running, serving
from local.azure.tokens import Subject
from local.storage import Azurite

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 100
"""How often a condition is looked at, a tenth of a second apart, before a test gives up."""
IDENTITY = "managed-identity"
GRAPH = "/v1.0/applications"
SEED: dict[str, Any] = {
    "identities": {"rekey": {"app_roles": ["Application.ReadWrite.All"]}},
    "applications": {"app": {"passwords": [{}]}},
    "vaults": {"kv": {"roles": {"rekey": "Key Vault Secrets Officer"}, "secrets": {"one": {"value": "first"}}}},
    "organizations": {
        "contoso": {"members": {"rekey": {"projects": {"web": ["administer"]}}}, "projects": {"web": {}}}
    },
}


class Clients:
    """A plain HTTP client of every service, with tokens, and the control API."""

    def __init__(self, running: Running, client: httpx.AsyncClient) -> None:
        self.cloud = running.cloud
        self.told = running.description
        self.client = client

    async def control(self, method: str, path: str, body: Any = None, *, expected: int = 200) -> Any:
        """Ask the control API."""
        answer = await self.client.request(method, f"{self.told['control']}/_sim/{path}", json=body)
        assert answer.status_code == expected, answer.text
        return answer.json()

    async def fault(self, service: str, **fields: Any) -> str:
        """Arm a fault and return its id."""
        return str((await self.control("POST", "faults", {"service": service, **fields}))["id"])

    async def hits(self, fault: str) -> int:
        """Return how often a fault struck."""
        told = (await self.control("GET", "faults"))["faults"]
        return int(next(one["hits"] for one in told if one["id"] == fault))

    def token(self, audience: str) -> dict[str, str]:
        """Return the header with a token for a service."""
        found = self.cloud.directory.identity("rekey")
        subject = Subject(self.cloud.tenant, found.client_id, found.object_id, audience, found.app_roles)
        return {"Authorization": f"Bearer {self.cloud.tokens.issue(subject, 3600)}"}

    async def graph(self, method: str = "GET", path: str = GRAPH, **options: Any) -> httpx.Response:
        """Ask Graph."""
        headers = self.token(self.cloud.url("graph"))
        return await self.client.request(method, self.cloud.url("graph") + path, headers=headers, **options)

    async def vault(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the vault kv."""
        url = f"{self.cloud.url('kv.vault')}{path}?api-version=7.4"
        return await self.client.request(method, url, headers=self.token(self.cloud.url("vault")), **options)

    async def add_password(self, **options: Any) -> httpx.Response:
        """Add a password to the application."""
        path = f"{GRAPH}/{self.cloud.directory.application('app').object_id}/addPassword"
        return await self.graph("POST", path, json={}, **options)

    @property
    def passwords(self) -> int:
        """How many passwords the application was given."""
        return len(self.cloud.directory.application("app").passwords)

    async def identity_token(self) -> httpx.Response:
        """Ask the managed identity endpoint for a token."""
        query = f"api-version=2019-08-01&resource={self.cloud.url('graph')}"
        url = f"{self.told['identity_endpoint']}?{query}"
        return await self.client.get(url, headers={"X-IDENTITY-HEADER": self.told["identity_header"]})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, azurite: Azurite) -> AsyncIterator[Running]:
    """A simulated Azure for all tests of this module, in front of a storage account."""
    storage = {"blob": azurite.blob_endpoint, "queue": azurite.queue_endpoint}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
        resolve.install()
        async with serving(tmp_path_factory.mktemp("azure"), storage=storage) as simulated:
            yield simulated


@pytest_asyncio.fixture(loop_scope="module")
async def azure(running: Running) -> AsyncIterator[Clients]:
    """A client of the simulated Azure in which nothing lags and nothing is armed."""
    trust = ssl.create_default_context(cafile=running.description["ca"])
    async with httpx.AsyncClient(verify=trust, timeout=10) as client:
        made = Clients(running, client)
        await made.control("POST", "seed", SEED)
        lag = {"service": "graph", "propagation": {"seconds": 0, "conflict_seconds": 0}}
        await made.control("POST", "faults", lag)
        await made.control("DELETE", "requests")
        yield made
        await made.control("DELETE", "faults")


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
async def test_statuses_in_the_services_own_words(azure: Clients, status: int) -> None:
    """Each service refuses with the status that was asked for and an error in its own shape."""
    await azure.fault("graph", status=status)
    await azure.fault("keyvault", status=status)
    await azure.fault(IDENTITY, status=status)
    graph, vault, identity = await azure.graph(), await azure.vault("GET", "/secrets/one"), await azure.identity_token()
    assert [answer.status_code for answer in (graph, vault, identity)] == [status] * 3
    assert {"code", "message", "innerError"} <= graph.json()["error"].keys()
    assert {"code", "message"} <= vault.json()["error"].keys()
    assert identity.json()["statusCode"] == status
    assert (await azure.graph()).status_code == 200


async def test_throttling_until_a_date(azure: Clients) -> None:
    """A Retry-After may be a number of seconds, or a date that is so far ahead."""
    await azure.fault("graph", status=429, retry_after=7)
    await azure.fault("graph", status=429, retry_after=30, retry_after_form="date")
    await azure.fault("graph", status=429)
    seconds, date, none = [(await azure.graph()).headers.get("Retry-After") for _ in range(3)]
    assert (seconds, none) == ("7", None)
    assert date is not None
    assert 25 < (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds() <= 30


async def test_delay(azure: Clients) -> None:
    """A delayed request gets its own answer, no sooner than said."""
    await azure.fault("graph", delay=0.3, jitter=0.1)
    started = time.monotonic()
    assert (await azure.graph()).status_code == 200
    assert time.monotonic() - started >= 0.3


async def test_chance_repeats_itself() -> None:
    """Jitter and chance come from the seed: the same one makes the same weather, another one another."""

    def weather(seed: int) -> tuple[list[float], list[bool]]:
        slow = Fault("1", FaultRequest("graph", delay=1.0, jitter=2.0, seed=seed))
        rare = Fault("2", FaultRequest("graph", status=503, count=None, chance=0.3, seed=seed))
        return [slow.wait() for _ in range(50)], [rare.strikes("graph", "GET", "/") for _ in range(200)]

    waits, strikes = weather(7)
    assert all(1 <= wait <= 3 for wait in waits)
    assert len(set(waits)) == 50
    assert 30 < sum(strikes) < 90
    assert weather(7) == (waits, strikes)
    assert weather(8) != (waits, strikes)


async def connection(azure: Clients, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a TLS connection to one of the hosts, by which nothing was asked yet."""
    trust = ssl.create_default_context(cafile=azure.told["ca"])
    return await asyncio.open_connection("127.0.0.1", azure.told["port"], ssl=trust, server_hostname=host)


async def ask(azure: Clients, method: str, host: str, path: str) -> bytes:
    """Send one request by hand and return all the bytes that come back until the other end closes."""
    reader, writer = await connection(azure, host)
    audience = "vault" if "vault" in host else "graph"
    token = azure.token(azure.cloud.url(audience))
    head = {"Host": f"{host}:{azure.told['port']}", "Content-Length": "2", "Connection": "close", **token}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", "{}"]
    writer.write("\r\n".join(lines).encode())
    with closing(writer):
        received = bytearray()
        try:
            while data := await reader.read(1 << 16):
                received += data
        except ConnectionResetError as reset:
            raise Torn(bytes(received)) from reset
        return bytes(received)


class Torn(Exception):  # noqa: N818 - it says what happened to the connection
    """A connection was reset, by TCP RST, after these bytes."""

    def __init__(self, received: bytes) -> None:
        super().__init__(received)
        self.received = received


def add_password_path(azure: Clients) -> str:
    """Return the path of addPassword."""
    return f"{GRAPH}/{azure.cloud.directory.application('app').object_id}/addPassword"


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
async def test_reset_in_place_of_the_answer(azure: Clients, when: str, made: int) -> None:
    """Instead of an answer there is a TCP reset, whether the work was done by then or not."""
    before = azure.passwords
    await azure.fault("graph", reset="answer", when=when)
    with pytest.raises(Torn) as torn:
        await ask(azure, "POST", "graph.localhost", add_password_path(azure))
    assert torn.value.received == b""
    assert azure.passwords == before + made
    assert (await azure.graph()).status_code == 200


async def test_reset_in_the_middle_of_the_body(azure: Clients) -> None:
    """The head and the first half of the body arrive, then a TCP reset; the work was done."""
    before = azure.passwords
    await azure.fault("graph", reset="body", when="after")
    with pytest.raises(Torn) as torn:
        await ask(azure, "POST", "graph.localhost", add_password_path(azure))
    head, _, body = torn.value.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length"))
    assert len(body) == length // 2
    assert azure.passwords == before + 1


async def test_reset_of_an_answer_without_a_body(azure: Clients) -> None:
    """Where there is no body to tear, nothing of the answer arrives: a whole 204 would be no fault."""
    name = f"s{uuid4().hex}"
    await azure.vault("PUT", f"/secrets/{name}", json={"value": "x"})
    await azure.vault("DELETE", f"/secrets/{name}")

    async def deleted() -> bool:
        return (await azure.vault("GET", f"/deletedsecrets/{name}")).status_code == 200

    await until(deleted)
    await azure.fault("keyvault", reset="body", when="after", method="DELETE")
    with pytest.raises(Torn) as torn:
        await ask(azure, "DELETE", "kv.vault.localhost", f"/deletedsecrets/{name}?api-version=7.4")
    assert torn.value.received == b""


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    for _ in range(PATIENCE):
        if await holds():
            return
        await asyncio.sleep(0.1)
    pytest.fail("it never got there")


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
async def test_timeout(azure: Clients, when: str, made: int) -> None:
    """A request is never answered; its client gives up, and by then the work was done or never is."""
    before = azure.passwords
    fault = await azure.fault("graph", timeout=True, when=when)
    with pytest.raises(httpx.ReadTimeout):
        await azure.add_password(timeout=0.5)
    assert await azure.hits(fault) == 1
    assert azure.passwords == before + made


async def test_clearing_ends_what_never_ends(azure: Clients) -> None:
    """A request that is never answered loses its connection when the faults are cleared."""
    fault = await azure.fault("graph", timeout=True)
    waiting = asyncio.create_task(ask(azure, "POST", "graph.localhost", add_password_path(azure)))

    async def hit() -> bool:
        return await azure.hits(fault) == 1

    await until(hit)
    await azure.control("DELETE", "faults")
    with pytest.raises(Torn):
        await waiting


async def test_refused_service(azure: Clients) -> None:
    """New connections of one service are reset at their greeting, open ones at once; its neighbours notice nothing."""
    reader, writer = await connection(azure, "graph.localhost")
    writer.write(f"GET / HTTP/1.1\r\nHost: graph.localhost:{azure.told['port']}\r\n\r\n".encode())
    assert await reader.read(12) == b"HTTP/1.1 404"
    fault = await azure.fault("graph", refuse=True, skip=1, count=2)
    with pytest.raises(ConnectionResetError):
        await reader.readuntil(b"never")
    writer.close()
    assert b"HTTP/1.1 404" in await ask(azure, "DELETE", "graph.localhost", "/?")
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await connection(azure, "graph.localhost")
    assert (await azure.vault("GET", "/secrets/one")).status_code == 200
    assert (await azure.graph()).status_code == 200
    assert await azure.hits(fault) == 2


async def test_refused_managed_identity(azure: Clients) -> None:
    """A service with a port of its own is refused there."""
    assert (await azure.identity_token()).status_code == 200
    await azure.fault(IDENTITY, refuse=True)
    with pytest.raises(httpx.TransportError):
        await azure.identity_token()
    assert (await azure.identity_token()).status_code == 200


async def test_everything_is_gone_for_a_while(azure: Clients) -> None:
    """Nobody listens on any port, as after a power cut, until the time is over; nothing that was held is forgotten."""
    _, writer = await connection(azure, "graph.localhost")
    before = azure.passwords
    await azure.fault("*", refuse=True, seconds=1)
    for port in (azure.told["port"], urlsplit(azure.told["identity_endpoint"]).port):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
    writer.close()

    async def back() -> bool:
        return await listens(azure)

    await until(back)
    assert (await azure.add_password()).status_code == 200
    assert azure.passwords == before + 1


async def listens(azure: Clients) -> bool:
    """Tell whether the TLS port accepts connections."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", azure.told["port"])
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


def is_page(answer: httpx.Response) -> bool:
    """A sign-in page that says 200."""
    return answer.headers["content-type"].startswith("text/html") and "Sign In" in answer.text


def is_torn_json(answer: httpx.Response) -> bool:
    """JSON that stops in the middle although all of it is there."""
    return answer.text.startswith("{") and not answer.text.endswith("}")


def is_utf_16(answer: httpx.Response) -> bool:
    """JSON in another encoding than the one it is said to have."""
    return "utf-8" in answer.headers["content-type"] and "@odata.context" in json.loads(answer.content.decode("utf-16"))


@pytest.mark.parametrize(
    ("how", "holds"),
    [
        ("html", is_page),
        ("truncated", is_torn_json),
        ("empty", lambda answer: answer.content == b"" and "json" in answer.headers["content-type"]),
        ("text", lambda answer: "upstream" in answer.text and "json" in answer.headers["content-type"]),
        ("utf-16", is_utf_16),
    ],
)
async def test_malformed_answers(azure: Clients, how: str, holds: Callable[[httpx.Response], bool]) -> None:
    """The work is done and the answer says so, but nobody can read it."""
    before = azure.passwords
    await azure.fault("graph", malformed=how, when="after")
    answer = await azure.add_password()
    assert answer.status_code == 200
    assert holds(answer), answer.text
    assert azure.passwords == before + 1


async def test_answer_that_is_not_compressed_as_said(azure: Clients) -> None:
    """An answer that claims to be compressed can't be decoded."""
    await azure.fault("graph", malformed="gzip", when="after")
    with pytest.raises(httpx.DecodingError):
        await azure.graph()


@pytest.mark.parametrize("how", ["html", "empty", "text"])
async def test_malformed_answers_in_place_of_work(azure: Clients, how: str) -> None:
    """What stands before a service may answer without it: nothing was done."""
    before = azure.passwords
    await azure.fault("graph", malformed=how)
    assert (await azure.add_password()).status_code == 200
    assert azure.passwords == before


async def test_stale_reads_of_a_vault(azure: Clients) -> None:
    """Reads and lists are answered as of a while ago, also of what was changed and deleted; writes are done at once."""
    first = (await azure.vault("GET", "/secrets/one")).json()["id"]
    fault = await azure.fault("keyvault", stale=120, count=None)
    written = (await azure.vault("PUT", "/secrets/one", json={"value": "second"})).json()["id"]
    await azure.vault("PUT", "/secrets/two", json={"value": "other"})
    assert (await azure.vault("GET", "/secrets/one")).json()["id"] == first
    assert (await azure.vault("GET", "/secrets/two")).status_code == 404
    assert (await azure.vault("GET", f"/secrets/one/{written.rpartition('/')[2]}")).status_code == 404
    listed = (await azure.vault("GET", "/secrets")).json()["value"]
    assert [one["id"].rpartition("/")[2] for one in listed] == ["one"]
    assert await azure.hits(fault) == 4
    await azure.control("DELETE", "faults")
    assert (await azure.vault("GET", "/secrets/one")).json()["id"] == written
    await azure.vault("DELETE", "/secrets/two")


async def test_stale_reads_catch_up(azure: Clients) -> None:
    """What is older than the lag is seen."""
    await azure.fault("graph", stale=0.5, count=None, path=GRAPH)
    added = (await azure.add_password()).json()["keyId"]
    assert added not in (await azure.graph()).text

    async def seen() -> bool:
        return added in (await azure.graph()).text

    await until(seen)


async def test_stale_reads_of_azure_devops_and_of_seeds(azure: Clients) -> None:
    """What a seed changes is seen late as well."""

    async def projects() -> str:
        headers = azure.token("499b84ac-1321-427f-aa17-267ca6975798")
        url = f"{azure.cloud.url('azuredevops')}/contoso/_apis/projects?api-version=7.1"
        return (await azure.client.get(url, headers=headers)).text

    await azure.fault("azuredevops", stale=100, count=None)
    name = f"p{uuid4().hex}"
    member = {"rekey": {"projects": {name: ["administer"]}}}
    await azure.control("POST", "seed", {"organizations": {"contoso": {"members": member, "projects": {name: {}}}}})
    assert name not in await projects()
    await azure.control("DELETE", "faults")
    assert name in await projects()


async def test_count_skip_method_and_path(azure: Clients) -> None:
    """A fault lets the first ones pass, strikes as often as said, and only where service, method and path match."""
    fault = await azure.fault("keyvault", method="get", path=r"/secrets/o.e$", reset="answer", skip=1, count=2)
    assert (await azure.vault("GET", "/secrets")).status_code == 200
    assert (await azure.vault("PUT", "/secrets/one", json={"value": "x"})).status_code == 200
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append((await azure.vault("GET", "/secrets/one")).status_code)
        except httpx.TransportError:
            outcomes.append(0)
    assert outcomes == [200, 0, 0, 200]
    assert await azure.hits(fault) == 2


@pytest_asyncio.fixture(loop_scope="module")
async def blobs(azure: Clients, azurite: Azurite) -> AsyncIterator[ContainerClient]:
    """A container behind the forwarder; the SDK repeats nothing."""
    connection_string = through(azure, azurite)
    async with ContainerClient.from_connection_string(connection_string, f"t{uuid4().hex}", retry_total=0) as made:
        await made.create_container()
        yield made


def through(azure: Clients, azurite: Azurite) -> str:
    """Return the connection string of the storage account behind the forwarder."""
    told = azure.told["storage"]
    direct = azurite.connection_string
    return direct.replace(azurite.blob_endpoint, told["blob"]).replace(azurite.queue_endpoint, told["queue"])


async def test_storage_is_passed_on(azure: Clients, azurite: Azurite, blobs: ContainerClient) -> None:
    """Blobs and queues work through the forwarder as without it, names that need quoting included, and are counted."""
    body = bytes(range(256)) * 4000
    await blobs.upload_blob("a folder/ä+b%20c", body, metadata={"state": "open"})
    assert [blob.name async for blob in blobs.list_blobs(name_starts_with="a folder/")] == ["a folder/ä+b%20c"]
    found = blobs.get_blob_client("a folder/ä+b%20c")
    assert await (await found.download_blob()).readall() == body
    assert (await found.get_blob_properties()).size == len(body)
    async with QueueClient.from_connection_string(through(azure, azurite), f"q{uuid4().hex}") as queue:
        await queue.create_queue()
        await queue.send_message("hello")
        received = await queue.receive_message()
        assert received is not None
        assert received.content == "hello"
    requests = [r for r in (await azure.control("GET", "requests"))["requests"] if r["service"] == "storage"]
    assert [(r["host"], r["method"]) for r in requests] == [
        ("blob", "PUT"),
        ("blob", "PUT"),
        ("blob", "GET"),
        ("blob", "GET"),
        ("blob", "HEAD"),
        ("queue", "PUT"),
        ("queue", "POST"),
        ("queue", "GET"),
    ]
    assert {r["status"] for r in requests} == {200, 201, 206}


async def test_storage_faults(azure: Clients, blobs: ContainerClient) -> None:
    """Storage refuses in its own words, and its connections are reset like others'."""
    await azure.fault("storage", method="PUT", path="/one", status=503, retry_after=3)
    with pytest.raises(HttpResponseError) as busy:
        await blobs.upload_blob("one", b"1")
    assert (busy.value.status_code, busy.value.error_code) == (503, "ServerBusy")  # type: ignore[attr-defined]
    assert getattr(busy.value.response, "headers", {})["Retry-After"] == "3"
    await azure.fault("storage", method="PUT", path="/one", reset="answer", when="after", count=2)
    with pytest.raises(ServiceRequestError):  # aiohttp repeats a PUT once, on its own; there is no answer to either
        await blobs.upload_blob("one", b"1")
    assert await (await blobs.download_blob("one")).readall() == b"1"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"service": "nothing", "status": 500}, "service: got 'nothing'"),
        ({"service": "graph"}, "fault: got [], expected exactly one of"),
        ({"service": "graph", "status": 500, "timeout": True}, "fault: got ['status', 'timeout']"),
        ({"service": "graph", "status": 404}, "status: got 404"),
        ({"service": "graph", "status": 500, "count": 0}, "count: got 0"),
        ({"service": "graph", "status": 500, "skip": -1}, "skip: got -1"),
        ({"service": "graph", "status": 500, "chance": 1.5}, "chance: got 1.5"),
        ({"service": "graph", "status": 500, "path": "("}, "path: '('"),
        ({"service": "graph", "status": 429, "retry_after": -1}, "retry_after: got -1"),
        ({"service": "graph", "status": 429, "retry_after_form": "date"}, "retry_after: got None"),
        ({"service": "graph", "timeout": True, "retry_after": 1}, "retry_after: got 1"),
        ({"service": "graph", "delay": -1}, "delay: got -1"),
        ({"service": "graph", "delay": 1, "jitter": -1}, "jitter: got -1"),
        ({"service": "graph", "status": 500, "jitter": 1}, "jitter: got 1.0"),
        ({"service": "graph", "reset": "head"}, "$.reset"),
        ({"service": "graph", "reset": "body"}, "when: got 'before'"),
        ({"service": "graph", "malformed": "truncated"}, "when: got 'before'"),
        ({"service": "graph", "malformed": "odd"}, "$.malformed"),
        ({"service": "graph", "refuse": True, "path": "/x"}, "path: got '/x'"),
        ({"service": "graph", "refuse": True, "method": "GET"}, "method: got 'GET'"),
        ({"service": "graph", "refuse": True, "when": "after"}, "when: got "),
        ({"service": "graph", "refuse": True, "seconds": 1}, "seconds: "),
        ({"service": "*", "refuse": True}, "seconds: got None"),
        ({"service": "*", "status": 500}, "service: got '*'"),
        ({"service": "graph", "stale": 121}, "stale: got 121"),
        ({"service": "graph", "stale": 5, "method": "GET"}, "method: got 'GET'"),
        ({"service": "email", "stale": 5}, "service: got 'email'"),
        ({"service": "graph", "status": 500, "colour": "red"}, "colour"),
    ],
)
async def test_faults_that_make_no_sense(azure: Clients, fault: dict[str, Any], says: str) -> None:
    """A fault that makes no sense is a 400 that names the field, and isn't armed."""
    told = await azure.control("POST", "faults", fault, expected=400)
    assert says in told["error"]
    assert (await azure.control("GET", "faults"))["faults"] == []
