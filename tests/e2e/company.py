"""Many managed secrets in one running company, and what the services themselves know of each of them."""

import http.client
import json
import secrets
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import pytest
from azure.storage.queue import QueueClient

from local.processes import wait_until
from local.scenario import QUEUE, Scenario
from local.stack import Stack
from local.storage import AzuriteMissingError

DURABLE = "/runtime/webhooks/durabletask"
DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"
"""The resource id of Azure DevOps."""

ENDED = frozenset({"Completed", "Failed", "Terminated"})
MOST = 24
"""Applications that a company's settings name."""

QUICK = {
    # A message that failed is seen again at once, an idle queue is looked at often: nothing waits for the clock.
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:01",
}


@dataclass(frozen=True)
class Managed:
    """A secret, the application whose password it holds, the service connection that has a copy."""

    company: "Company"
    secret: str
    application: str
    client_id: str
    connection: str

    @property
    def vault(self) -> str:
        """Return the vault's name."""
        return self.company.scenario.vault

    @property
    def instance(self) -> str:
        """Return the one id its rotations have."""
        return f"rotate.{self.vault}.{self.secret}"

    @property
    def request(self) -> dict[str, str]:
        """Return what names it in a request."""
        return {"vault": self.vault, "secret": self.secret}

    def versions(self) -> list[dict[str, Any]]:
        """Return its versions, the oldest first."""
        found: list[dict[str, Any]] = self.company.vault_state(self.vault)["secrets"][self.secret]["versions"]
        return found

    def passwords(self) -> list[dict[str, Any]]:
        """Return its application's passwords, the removed ones too, the oldest first."""
        state = self.company.stack.control.state()["entra"]["applications"][self.application]
        found: list[dict[str, Any]] = state["passwords"]
        return found

    def working(self) -> list[dict[str, Any]]:
        """Return the passwords that were not removed."""
        return [p for p in self.passwords() if p["removed"] is None]

    def endpoint(self) -> dict[str, Any]:
        """Return its service connection as the service stores it, the key included."""
        scenario = self.company.scenario
        devops = self.company.stack.control.state()["azuredevops"]["organizations"][scenario.organization]
        found: dict[str, Any] = devops["projects"][scenario.project]["endpoints"][self.connection]
        return found

    def mails(self) -> list[dict[str, Any]]:
        """Return the mails that name it."""
        return [m for m in self.company.stack.control.outbox() if f"{self.vault}/{self.secret}" in m["subject"]]

    def told(self) -> list[str]:
        """Return which notices were mailed, in their order."""
        return [m["subject"].removeprefix("[Rekey] ").split(":")[0] for m in self.mails()]

    def add_passwords(self) -> int:
        """Return how many requests for a password of its application there were."""
        return len([r for r in self.company.graph_writes(self) if r["path"].endswith("/addPassword")])

    def object_id(self) -> str:
        """Return its application's object id."""
        found: str = self.company.stack.control.state()["entra"]["applications"][self.application]["object_id"]
        return found

    def status(self) -> dict[str, Any]:
        """Return the status of its instance as the durable HTTP API tells it; empty if there is none."""
        return self.company.status(self.instance)

    def finished(self) -> dict[str, Any]:
        """Wait until its instance has ended and return the status."""
        return self.company.finished(self.instance)

    def reaches(self, step: str) -> dict[str, Any]:
        """Wait until its instance is at that step and return the status."""

        def there() -> bool:
            return (self.status().get("customStatus") or {}).get("step") == step

        wait_until(there, f"{self.instance} is at {step}")
        return self.status()

    def records(self) -> list[dict[str, Any]]:
        """Return the records of its rotations in full, the oldest first."""
        listed = self.company.ask("GET", "/api/rotations")["rotations"]
        mine = [r["rotation_id"] for r in listed if r["secret"] == self.secret]
        return [self.company.ask("GET", f"/api/rotations/{rotation}")["record"] for rotation in reversed(mine)]


class Company:
    """A running `Stack` whose settings name many applications, so that each test has secrets of its own."""

    def __init__(self, stack: Stack, client_ids: list[str]) -> None:
        self.stack = stack
        self.scenario = stack.scenario
        self._client_ids = client_ids
        self._tls = ssl.create_default_context(cafile=stack.control.description["ca"])

    def manage(self, *, event: bool = False, secret: Mapping[str, Any] | None = None, **seed: Any) -> Managed:
        """Make a managed secret near its expiry; `event`: Key Vault tells, in two copies, as it may.

        `tags` are added to (None: taken from) the usual ones; `secret` replaces fields of its version's seed,
        `connection` of its service connection's, `application` of its application's.
        """
        name = secrets.token_hex(3)
        managed = Managed(self, f"deploy-{name}", f"app-{name}", self._client_ids.pop(), f"connection-{name}")
        self.stack.control.seed(self._application(managed, **seed.pop("application", {})))
        self.stack.control.seed(self._connection(managed, **seed.pop("connection", {})))
        if event:
            self.subscribe()
        version = {"tags": self.tags(managed, seed.pop("tags", {}), **seed), **(secret or {})}
        self.store(managed, **version)
        return managed

    def store(self, managed: Managed, **version: Any) -> None:
        """Store one more version of a secret."""
        whole = {
            "value": {"password_of": managed.application},
            "expires_with_password": True,
            "age_days": 160,
            "content_type": "application/x-password",
            **version,
        }
        whole = {field: value for field, value in whole.items() if value is not None}
        self.stack.control.seed({"vaults": {managed.vault: {"secrets": {managed.secret: whole}}}})

    def tags(
        self, managed: Managed, more: Mapping[str, str | None], *, grace: str = "PT1S", adopt: bool = True
    ) -> dict[str, str]:
        """Return the tags people would write."""
        scenario, urls = self.scenario, self.stack.control.description["urls"]
        tags: dict[str, str | None] = {
            "azureADAppId": managed.client_id,
            "azureADAppName": managed.application,
            "azureDevOpsAccountUrl": f"{urls['azuredevops']}/{scenario.organization}",
            "azureDevOpsProjectName": scenario.project,
            "azureDevOpsConnectionName": managed.connection,
            "rekey-owners": scenario.owner,
            "rekey-notify": scenario.third_party,
            "rekey-grace": grace,
            "rekey-adopt": "true" if adopt else None,
            **more,
        }
        return {name: value for name, value in tags.items() if value is not None}

    def subscribe(self, **events: Any) -> None:
        """Have Key Vault's events put into the app's queue from now on."""
        queue = {"connection_string": self.stack.storage.connection_string, "queue": QUEUE}
        self.stack.control.seed({"events": {**queue, **events}})

    def raise_event(self, managed: Managed, **event: str) -> None:
        """Have Event Grid send an event again, whatever was sent before."""
        self.subscribe()
        self.stack.control._ask("POST", "/_sim/events/raise", {**managed.request, **event})

    def queue(self, name: str = QUEUE) -> QueueClient:
        """Return a client of a queue of the app's storage account."""
        return QueueClient.from_connection_string(self.stack.storage.connection_string, name)

    def put(self, text: str) -> None:
        """Put a message into the queue."""
        with self.queue() as queue:
            queue.send_message(text)

    def waiting(self, name: str = QUEUE) -> int:
        """Return how many messages are in a queue, those being worked on included; 0 if there is no such queue."""
        with self.queue(name) as queue:
            if name not in [q.name for q in self._queues()]:
                return 0
            return queue.get_queue_properties().approximate_message_count or 0

    def drained(self) -> None:
        """Wait until every event was delivered and taken out of the queue."""

        def done() -> bool:
            deliveries = self.stack.control.state()["eventgrid"]["deliveries"]
            return all(d["status"] == "delivered" for d in deliveries) and self.waiting() == 0

        wait_until(done, "every event was taken")

    def start(self, given: Any, instance: str = "") -> str:
        """Start a rotation over the durable HTTP API and return its instance id."""
        path = f"{DURABLE}/orchestrators/rotate_secret/{instance}".rstrip("/")
        started: str = self.ask("POST", path, given, expected=202)["id"]
        return started

    def restart(self, instance: str) -> str:
        """Restart an instance with the API's default parameters and return the new one's id."""
        started: str = self.ask("POST", f"{DURABLE}/instances/{instance}/restart", expected=202)["id"]
        return started

    def status(self, instance: str) -> dict[str, Any]:
        """Return an instance's status; empty if there is none."""
        _, found = self.stack.get(f"{DURABLE}/instances/{instance}")
        return found if isinstance(found, dict) else {}

    def finished(self, instance: str) -> dict[str, Any]:
        """Wait until an instance has ended and return its status."""
        wait_until(lambda: self.status(instance).get("runtimeStatus") in ENDED, f"{instance} has ended")
        return self.status(instance)

    def instances(self) -> list[dict[str, Any]]:
        """Return every instance there is."""
        found: list[dict[str, Any]] = self.ask("GET", f"{DURABLE}/instances?top=1000")
        return found

    def ask(self, method: str, path: str, body: Any = None, *, expected: int = 200) -> Any:
        """Send a request to the app's host and return the answer, which has to have that status."""
        status, answer = self.stack.call(method, path, body)
        assert status == expected, (status, answer)
        return answer

    def log(self) -> str:
        """Return what host and app wrote so far."""
        return self.stack.host.output()

    def vault_state(self, vault: str) -> dict[str, Any]:
        """Return everything a vault holds, secret values included."""
        found: dict[str, Any] = self.stack.control.state()["keyvault"]["vaults"][vault]
        return found

    def graph_writes(self, managed: Managed) -> list[dict[str, Any]]:
        """Return the requests that change its application."""
        object_id = managed.object_id()
        asked = [r for r in self.stack.control.requests() if r["service"] == "graph" and r["method"] != "GET"]
        return [r for r in asked if object_id in r["path"]]

    def sign_in(self, client_id: str, value: str) -> tuple[int, Any]:
        """Sign in at Entra as an application; returns status and body of the token endpoint's answer."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": value,
            "scope": "https://management.azure.com/.default",
        }
        description = self.stack.control.description
        url = f"{description['urls']['entra']}/{self.tenant}/oauth2/v2.0/token"
        return self._send("POST", url, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})

    def test_connection(self, managed: Managed) -> dict[str, Any]:
        """Press the portal's Verify button: Azure DevOps itself signs in with the key that it stores."""
        organization, project = self.scenario.organization, self.scenario.project
        base = f"{self.stack.control.description['urls']['azuredevops']}/{organization}/{project}"
        endpoint = managed.endpoint()
        url = f"{base}/_apis/serviceendpoint/endpointproxy?endpointId={endpoint['id']}&api-version=7.1"
        body = json.dumps({"dataSourceDetails": {"dataSourceName": "TestConnection"}})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token(DEVOPS)}"}
        status, answer = self._send("POST", url, body, headers)
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found

    @property
    def tenant(self) -> str:
        """Return the tenant's id."""
        found: str = self.stack.control.state()["entra"]["tenant"]
        return found

    def _token(self, resource: str) -> str:
        description = self.stack.control.description
        query = {"api-version": "2019-08-01", "resource": resource, "client_id": self.stack.identity}
        url = f"{description['identity_endpoint']}?{urlencode(query)}"
        status, answer = self._send("GET", url, None, {"X-IDENTITY-HEADER": description["identity_header"]})
        assert status == 200, answer
        found: str = answer["access_token"]
        return found

    def _send(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=30, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=30)
        )
        try:
            connection.request(method, f"{parts.path}?{parts.query}", body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def _queues(self) -> list[Any]:
        from azure.storage.queue import QueueServiceClient  # noqa: PLC0415 - only few tests look at queues

        with QueueServiceClient.from_connection_string(self.stack.storage.connection_string) as service:
            return list(service.list_queues())

    def _application(self, managed: Managed, **changes: Any) -> dict[str, Any]:
        by_hand = {"display_name": "made by hand", "days": self.scenario.expires_in_days}
        application = {"client_id": managed.client_id, "owners": ["rekey"], "passwords": [by_hand], **changes}
        return {"applications": {managed.application: application}}

    def _connection(self, managed: Managed, **changes: Any) -> dict[str, Any]:
        endpoints = {managed.connection: {"application": managed.application, **changes}}
        organization = {"projects": {self.scenario.project: {"endpoints": endpoints}}}
        return {"organizations": {self.scenario.organization: organization}}


@contextmanager
def running(folder: Path | None = None, scenario: Scenario | None = None, **environment: str) -> Iterator[Company]:
    """Run a company in which nothing takes time to get around; `environment` is added to the app's."""
    scenario = scenario or Scenario()
    client_ids = [str(uuid4()) for _ in range(MOST)]
    scope = {
        "vaults": [scenario.vault],
        "applications": client_ids,
        "organizations": {scenario.organization: [scenario.project]},
    }
    settings = {"REKEY_SCOPES": json.dumps([scope]), **QUICK, **environment}
    with tempfile.TemporaryDirectory() as made, _skipping():
        stack = Stack(folder or Path(made), scenario, settings)
        with stack:
            stack.control.propagation("entra", seconds=0)
            stack.control.propagation("graph", seconds=0, conflict_seconds=0)
            yield Company(stack, client_ids)


@contextmanager
def _skipping() -> Iterator[None]:
    try:
        yield
    except AzuriteMissingError as missing:
        pytest.skip(str(missing))
