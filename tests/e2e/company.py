"""Many managed secrets in one running company: how a test makes them, starts rotations and asks the app."""

import json
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.queue import QueueClient, QueueServiceClient

from local.processes import wait_until
from local.scenario import QUEUE, Scenario
from local.stack import Stack
from local.storage import AzuriteMissingError
from rekey.nightly_settings import MAIL_HOUR, MAIL_MINUTE
from tests.e2e.managed import Managed
from tests.e2e.outside import Outside

DURABLE = "/runtime/webhooks/durabletask"
ENDED = frozenset({"Completed", "Failed", "Terminated"})
MOST = 60
"""Applications that a company's settings name."""

UNREAD = "nobody-reads-this"
"""A queue for the events of secrets whose rotation a test starts otherwise: there is one subscription for all."""

LOCKED = "Locked"
"""A project whose service connections the app's identity may use, but not administer."""

QUICK = {
    # A message that failed is seen again soon, an idle queue is looked at often: nothing waits for the clock.
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:01",
    # Nor for the mail service, of which many tests share one.
    "REKEY_LIMITS": json.dumps({limit: {"count": 10_000, "seconds": 60} for limit in (MAIL_MINUTE, MAIL_HOUR)}),
}


class Company:
    """A running `Stack` whose settings name many applications, so that each test has secrets of its own."""

    def __init__(self, stack: Stack, client_ids: list[str]) -> None:
        self.stack = stack
        self.scenario = stack.scenario
        self.outside = Outside(stack.control.description, stack.control.state()["entra"]["tenant"])
        self._client_ids = client_ids

    def manage(
        self,
        *,
        event: bool = False,
        tags: Mapping[str, str | None] | None = None,
        grace: str = "PT1S",
        project: str = "",
        secret: Mapping[str, Any] | None = None,
        application: Mapping[str, Any] | None = None,
    ) -> Managed:
        """Make a managed secret near its expiry; `event`: Key Vault tells, in two copies, as it may.

        `tags` are added to the usual ones (None takes one away); `secret` and `application` replace fields of seeds.
        """
        name = secrets.token_hex(3)
        managed = Managed(self, name, self._client_ids.pop(), project or self.scenario.project)
        self._seed_owned(managed, application or {})
        self.subscribe(queue=QUEUE if event else UNREAD)
        self.store(managed, **{"tags": self.tags(managed, {"rekey-grace": grace, **(tags or {})}), **(secret or {})})
        return managed

    def store(self, managed: Managed, **version: Any) -> None:
        """Store one more version of a secret; a field that is None isn't said."""
        whole = {
            "value": {"password_of": managed.application},
            "expires_with_password": True,
            "age_days": 160,
            "content_type": "application/x-password",
            **version,
        }
        whole = {field: value for field, value in whole.items() if value is not None}
        self.stack.control.seed({"vaults": {managed.vault: {"secrets": {managed.secret: whole}}}})

    def tags(self, managed: Managed, more: Mapping[str, str | None]) -> dict[str, str]:
        """Return the tags people would write."""
        devops = f"{self.stack.control.description['urls']['azuredevops']}/{self.scenario.organization}"
        tags: dict[str, str | None] = {
            "azureADAppId": managed.client_id,
            "azureADAppName": managed.application,
            "azureDevOpsAccountUrl": devops,
            "azureDevOpsProjectName": managed.project,
            "azureDevOpsConnectionName": managed.connection,
            "rekey-owners": self.scenario.owner,
            "rekey-notify": self.scenario.third_party,
            "rekey-adopt": "true",
            **more,
        }
        return {name: value for name, value in tags.items() if value is not None}

    def subscribe(self, **events: Any) -> None:
        """Have Key Vault's events put into the app's queue from now on."""
        queue = {"connection_string": self.stack.storage.connection_string, "queue": QUEUE}
        self.stack.control.seed({"events": {**queue, **events}})

    def raise_event(self, managed: Managed, version: str = "", **subscription: str) -> None:
        """Have Event Grid send a near-expiry event to the app, whatever was sent before; no version is the latest."""
        self.subscribe(**subscription)
        self.stack.control.raise_event(managed.vault, managed.secret, version=version)

    def queue(self, name: str = QUEUE) -> QueueClient:
        """Return a client of a queue of the app's storage account."""
        return QueueClient.from_connection_string(self.stack.storage.connection_string, name)

    def put(self, text: str) -> None:
        """Put a message into the app's queue."""
        with self.queue() as queue:
            queue.send_message(text)

    def messages(self, name: str = QUEUE) -> int:
        """Return how many messages are in a queue, those being worked on included; 0 if there is no such queue."""
        with QueueServiceClient.from_connection_string(self.stack.storage.connection_string) as service:
            if name not in [q.name for q in service.list_queues()]:
                return 0
            return service.get_queue_client(name).get_queue_properties().approximate_message_count or 0

    def drained(self) -> None:
        """Wait until every event was delivered and taken out of the queue."""

        def done() -> bool:
            deliveries = self.stack.control.state()["eventgrid"]["deliveries"]
            return all(d["status"] == "delivered" for d in deliveries) and self.messages() == 0

        wait_until(done, "every event was taken")

    def start(self, given: Any, instance: str = "") -> str:
        """Start a rotation over the durable HTTP API and return its instance id."""
        path = f"{DURABLE}/orchestrators/rotate_secret/{instance}".rstrip("/")
        started: str = self.ask("POST", path, given, expected=202)["id"]
        return started

    def rotate(self, managed: Managed) -> dict[str, Any]:
        """Start a rotation by hand, wait until it has ended and return its status."""
        return self.finished(self.start({**managed.request, "reason": "manual"}, managed.instance))

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
        ended = f"{instance} has ended"
        wait_until(lambda: self.status(instance).get("runtimeStatus") in ENDED, ended, timeout=120)
        return self.status(instance)

    def instances(self) -> list[str]:
        """Return the id of every instance that nobody else's instance started, which the engine marks with a colon."""
        found = [i["instanceId"] for i in self.ask("GET", f"{DURABLE}/instances?top=1000")]
        return [i for i in found if ":" not in i]

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

    def verify_button(self, managed: Managed) -> dict[str, Any]:
        """Let Azure DevOps sign in with the key that the secret's service connection holds."""
        place = f"{self.scenario.organization}/{managed.project}"
        return self.outside.verify(self.stack.identity, place, managed.endpoint()["id"])

    def _seed_owned(self, managed: Managed, changes: Mapping[str, Any]) -> None:
        by_hand = {"display_name": "made by hand", "days": self.scenario.expires_in_days}
        application = {"client_id": managed.client_id, "owners": ["rekey"], "passwords": [by_hand], **changes}
        endpoints = {managed.connection: {"application": managed.application}}
        organization = {"projects": {managed.project: {"endpoints": endpoints}}}
        self.stack.control.seed({"applications": {managed.application: application}})
        self.stack.control.seed({"organizations": {self.scenario.organization: organization}})


@contextmanager
def running(
    folder: Path | None = None, scenario: Scenario | None = None, vaults: Iterable[str] = (), **environment: str
) -> Iterator[Company]:
    """Run a company in which nothing takes time to get around; `environment` is added to the app's.

    Its settings name `vaults` beside the scenario's; who may do what there is for the test to seed.
    """
    scenario = scenario or Scenario()
    client_ids = [str(uuid4()) for _ in range(MOST)]
    scope = {
        "vaults": [scenario.vault, *vaults],
        "applications": client_ids,
        "organizations": {scenario.organization: [scenario.project, LOCKED]},
    }
    # Converting in place isn't documented by Microsoft, so that settings have to ask for it.
    settings = {"REKEY_SCOPES": json.dumps([scope]), "REKEY_FEDERATION": "in-place,repair", **QUICK, **environment}
    with tempfile.TemporaryDirectory() as made, _skipping(), Stack(folder or Path(made), scenario, settings) as stack:
        stack.control.propagation("entra", seconds=0)
        stack.control.propagation("graph", seconds=0, conflict_seconds=0)
        stack.control.limits("email", 1000)
        locked = {"members": {"rekey": {"projects": {LOCKED: ["use"]}}}, "projects": {LOCKED: {}}}
        stack.control.seed({"organizations": {scenario.organization: locked}})
        yield Company(stack, client_ids)


@contextmanager
def _skipping() -> Iterator[None]:
    try:
        yield
    except AzuriteMissingError as missing:
        pytest.skip(str(missing))
