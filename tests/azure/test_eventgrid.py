"""Key Vault events as they arrive in a storage queue."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.queue.aio import QueueClient

from local.azure.eventgrid_delivery import Delivery
from local.azure.eventgrid_state import Event, Kind, Raised, Schema, Subject
from local.azure.keyvault_state import Secret, Vault, Version
from local.storage import Azurite
from tests.azure.contracts import needs_contracts, validate_definition
from tests.azure.simulated import Simulated, simulated

EVENTGRID = "eventgrid/specification/eventgrid/data-plane"
ENVELOPES = f"{EVENTGRID}/Microsoft.EventGrid/stable/2018-01-01/EventGrid.json"
DATA = f"{EVENTGRID}/Microsoft.KeyVault/stable/2018-01-01/KeyVault.json"
NEAR, EXPIRED, NEW = "SecretNearExpiry", "SecretExpired", "SecretNewVersionCreated"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
VAULTS = {"kv": {"secrets": {"soon": {"expires_in_days": 10, "tags": {"a": "b"}}}}}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure without anything in it."""
    async with simulated(tmp_path, monkeypatch) as running:
        yield running
        await running.cloud.eventgrid.aclose()


def subscription(azurite: Azurite, queue: str, **options: Any) -> dict[str, Any]:
    """Return the `events` part of a seed."""
    return {"connection_string": azurite.connection_string, "queue": queue, **options}


async def received(azurite: Azurite, queue: str) -> list[str]:
    """Return the texts that lie in a queue, as they lie there."""
    async with QueueClient.from_connection_string(azurite.connection_string, queue) as client:
        return [message.content async for message in client.receive_messages(messages_per_page=32)]


def near(messages: list[str]) -> list[dict[str, Any]]:
    """Return the near-expiry events among base64 messages."""
    events = [json.loads(base64.b64decode(message)) for message in messages]
    return [event for event in events if event["eventType"].endswith(NEAR)]


async def raise_by_hand(azure: Simulated, body: dict[str, Any]) -> tuple[int, Any]:
    """Post to what Event Grid adds to the control API; return status and body."""
    answer = await azure.call("POST", f"{azure.control}/_sim/events/raise", body=body)
    return answer.status, answer.body


async def test_event_in_the_event_grid_schema(azure: Simulated, azurite: Azurite) -> None:
    """A version that expires within 30 days causes one event, delivered twice under one id."""
    told = await azure.seed({"events": subscription(azurite, "grid"), "vaults": VAULTS})
    await azure.cloud.eventgrid.settled()
    first, second = near(await received(azurite, "grid"))
    version = told["vaults"]["kv"]["soon"][0]
    assert first == second
    assert (first["subject"], first["data"]["Version"]) == ("soon", version)
    assert first["topic"] == azure.cloud.keyvault.vaults["kv"].arm_id
    assert first["data"]["Id"] == f"{azure.cloud.url('kv.vault')}/secrets/soon/{version}"
    assert first["data"]["NBF"] is None


async def test_event_as_a_plain_cloud_event(azure: Simulated, azurite: Azurite) -> None:
    """A subscription may ask for CloudEvents, plain text and no duplicates."""
    options = {"schema": "CloudEventSchemaV1_0", "encoding": "plain", "duplicates": False}
    await azure.seed({"events": subscription(azurite, "cloud", **options), "vaults": VAULTS})
    await azure.cloud.eventgrid.settled()
    events = [json.loads(text) for text in await received(azurite, "cloud")]
    expected = Counter({f"Microsoft.KeyVault.{NEW}": 1, f"Microsoft.KeyVault.{NEAR}": 1})
    assert Counter(event["type"] for event in events) == expected
    assert {event["specversion"] for event in events} == {"1.0"}


async def test_moving_time_raises_what_falls_due_once(azure: Simulated, azurite: Azurite) -> None:
    """Moved past the 30 days a version is announced as near its end, moved past the end as expired, never again."""
    vaults = {"kv": {"secrets": {"later": {"expires_in_days": 40, "enabled": False}}}}
    await azure.seed({"events": subscription(azurite, "time"), "vaults": vaults})
    raised = []
    for days in (9, 2, 1, 40, 1):
        await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": days * 86_400})
        raised.append([event["type"] for event in azure.cloud.eventgrid.state()["events"]][1:])
    names = [[kind.rpartition(".")[2] for kind in kinds] for kinds in raised]
    assert names == [[], [NEAR], [NEAR], [NEAR, EXPIRED], [NEAR, EXPIRED]]


async def test_versions_before_the_subscription_cause_nothing(azure: Simulated, azurite: Azurite) -> None:
    """Only versions stored after the subscription exists are watched."""
    await azure.seed({"vaults": VAULTS})
    await azure.seed({"events": subscription(azurite, "after")})
    await azure.call("POST", f"{azure.control}/_sim/time", body={"advance": "P60D"})
    assert azure.cloud.eventgrid.state()["events"] == []


async def test_raised_by_hand(azure: Simulated, azurite: Azurite) -> None:
    """The control API raises an event for a version, also for one that doesn't exist."""
    await azure.seed({"events": subscription(azurite, "hand", duplicates=False), "vaults": VAULTS})
    forged = {"vault": "kv", "secret": "soon", "version": "0" * 32, "type": EXPIRED}
    _, told = await raise_by_hand(azure, forged)
    await azure.cloud.eventgrid.settled()
    events = [json.loads(base64.b64decode(message)) for message in await received(azurite, "hand")]
    found = next(event for event in events if event["id"] == told["id"])
    assert (found["eventType"], found["data"]["Version"]) == (f"Microsoft.KeyVault.{EXPIRED}", "0" * 32)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"vault": "none", "secret": "soon"}, "vault: got 'none'"),
        ({"vault": "kv", "secret": "none"}, "secret: got 'none'"),
        ({"vault": "kv", "secret": "soon"}, "nobody subscribed"),
        ({"vault": "kv", "secret": "soon", "type": "Other"}, "$.type"),
    ],
)
async def test_raising_nonsense_is_refused(azure: Simulated, body: dict[str, Any], says: str) -> None:
    """What can't be raised by hand is a 400 that says why."""
    await azure.seed({"vaults": VAULTS})
    status, told = await raise_by_hand(azure, body)
    assert status == 400
    assert says in told["error"]


async def test_failed_delivery_is_tried_again_and_shown(azure: Simulated, azurite: Azurite) -> None:
    """A storage account that is away is tried again, visibly, while everything else goes on."""
    nowhere = azurite.connection_string.replace(azurite.queue_endpoint, "http://127.0.0.1:1/devstoreaccount1")
    events = {"connection_string": nowhere, "queue": "away", "duplicates": False}
    await azure.seed({"events": events, "vaults": VAULTS})
    async with asyncio.timeout(30):
        while min(d["attempts"] for d in azure.cloud.eventgrid.state()["deliveries"]) < 2:  # noqa: ASYNC110 - the state has no event to wait for
            await asyncio.sleep(0.05)
    deliveries = azure.cloud.eventgrid.state()["deliveries"]
    assert {(d["status"], d["error"] is None) for d in deliveries} == {("pending", False)}


async def test_bad_seed_names_the_field(azure: Simulated) -> None:
    """An encoding that doesn't exist is refused by name."""
    part = {"connection_string": "x", "queue": "q", "encoding": "zip"}
    answer = await azure.call("POST", f"{azure.control}/_sim/seed", body={"events": part})
    assert (answer.status, answer.body["error"].startswith("events.encoding: got 'zip'")) == (400, True)


def subject(expires: datetime | None) -> Subject:
    """Return a version of a secret in a vault."""
    version = Version("v", 0, 0, exp=int(expires.timestamp()) if expires else None)
    return Subject(Vault("kv", "sub", "group"), Secret("name", [version]), version)


def test_near_expiry_is_thirty_days_sharp() -> None:
    """A second more than 30 days isn't near, 30 days are."""
    raised, about = Raised(), subject(NOW + timedelta(days=30, seconds=1))
    assert [event.kind for event in raised.stored(about, NOW)] == [Kind.NEW_VERSION]
    assert [event.kind for event in raised.due(NOW + timedelta(seconds=1))] == [Kind.NEAR_EXPIRY]


def test_a_version_without_end_never_falls_due() -> None:
    """No expiry, no expiry events."""
    raised = Raised()
    raised.stored(subject(None), NOW)
    assert raised.due(NOW + timedelta(days=9999)) == []


def test_pending_delivery_is_told_without_values() -> None:
    """What the state tells of a delivery has no room for a secret's value."""
    told = Delivery(Event(Kind.EXPIRED, subject(NOW), NOW), copy=1).told()
    assert sorted(told) == ["attempts", "copy", "error", "event", "status", "type"]


@needs_contracts
@pytest.mark.parametrize(
    ("schema", "definition"),
    [(Schema.EVENT_GRID, "EventGridEvent"), (Schema.CLOUD_EVENTS, "CloudEventEvent")],
)
def test_envelopes_keep_to_the_specification(schema: Schema, definition: str) -> None:
    """Both envelopes and the data in them are what the published specification has."""
    for kind in Kind:
        body = Event(kind, subject(NOW), NOW).envelope(schema, "https://kv.vault.localhost:1")
        validate_definition(ENVELOPES, definition, body)
        validate_definition(DATA, f"KeyVault{kind.rpartition('.')[2]}EventData", body["data"])
