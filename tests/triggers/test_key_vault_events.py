"""The queue trigger: which messages start which rotations, and what is left to the poison queue."""

import base64
import json
import logging
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from azure.functions.queue import QueueMessage

from rekey.key_vault_events import EXPIRED, NEAR_EXPIRY, GarbageEventError
from tests.triggers.durable import FakeDurable, body_of, functions
from triggers.key_vault_events import blueprint

pytestmark = pytest.mark.usefixtures("app_settings")


def event(name: str = "Api-Key", vault: str = "KV-One", kind: str = NEAR_EXPIRY, **data: Any) -> dict[str, Any]:
    about = {"VaultName": vault, "ObjectType": "Secret", "ObjectName": name, "Version": "0" * 32, **data}
    return {"id": f"id of {name}", "topic": "t", "subject": name, "eventType": kind, "data": about}


async def receive(durable: FakeDurable, *events: object, encoded: bool = False, text: str = "") -> None:
    """Hand the function a message as the host would at the third try."""
    body = text or json.dumps(list(events))
    body = base64.b64encode(body.encode()).decode() if encoded else body
    message = QueueMessage(id="m1", body=body, dequeue_count=3)  # type: ignore[no-untyped-call]
    await body_of(blueprint, "key_vault_events")(message, durable)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    own = [r.getMessage() for r in caplog.records if r.name == "triggers.key_vault_events"]
    assert all(message.isprintable() for message in own)
    return [json.loads(message) for message in own]


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_the_host_is_told_of_one_queue_trigger() -> None:
    """The function listens to the near-expiry queue of the app's own storage account, with a durable client."""
    (trigger,) = functions(blueprint).values()
    bindings = {binding.type: binding.get_dict_repr() for binding in trigger.get_bindings()}
    assert trigger.get_function_name() == "key_vault_events"
    assert bindings["queueTrigger"]["queueName"] == "kv-secrets-near-expiry"
    assert bindings["queueTrigger"]["connection"] == "AzureWebJobsStorage"
    assert "durableClient" in bindings


def test_the_function_is_indexed_beside_another_blueprint() -> None:
    """An app with several durable blueprints has the function once, under its name."""
    app = df.DFApp()
    app.register_functions(df.Blueprint())
    app.register_functions(blueprint)
    assert [f.get_function_name() for f in app.get_functions()].count("key_vault_events") == 1


@pytest.mark.parametrize("kind", [NEAR_EXPIRY, EXPIRED])
@pytest.mark.parametrize("encoded", [False, True])
async def test_the_end_of_a_secret_starts_its_rotation(durable: FakeDurable, kind: str, *, encoded: bool) -> None:
    """Near expiry and expiry start the one instance of that secret, which judges by itself whether it is due."""
    await receive(durable, event(kind=kind), encoded=encoded)
    wanted = {"vault": "kv-one", "secret": "api-key", "reason": "event", "requested_by": "Event Grid", "digest": False}
    assert durable.started == {"rotate.kv-one.api-key": wanted}


async def test_a_repeated_event_starts_nothing_more(durable: FakeDurable, caplog: pytest.LogCaptureFixture) -> None:
    """Event Grid delivers at least once: a second copy finds the instance running and is done with."""
    durable.put("rotate.kv-one.api-key")
    await receive(durable, event(), event())
    assert durable.started == {}
    assert [line["outcome"] for line in lines(caplog)] == ["running-already"] * 2


@pytest.mark.parametrize(
    ("other", "outcome"),
    [
        (event(kind="Microsoft.KeyVault.SecretNewVersionCreated"), "acknowledged"),
        (event(kind="Microsoft.KeyVault.KeyNearExpiry", ObjectType="Key"), "acknowledged"),
        (event(ObjectType="Certificate"), "acknowledged"),
        (event(vault="kv-of-others"), "unknown-vault"),
    ],
)
async def test_what_is_not_ours_is_logged_and_forgotten(
    durable: FakeDurable, caplog: pytest.LogCaptureFixture, other: dict[str, Any], outcome: str
) -> None:
    """Other types, other objects and vaults that settings don't allow are acknowledged with one line each."""
    await receive(durable, other)
    (line,) = lines(caplog)
    assert (line["outcome"], line["dequeue_count"], line["message_id"]) == (outcome, 3, "m1")
    assert line["event"]["secret"] == "api-key"
    assert durable.started == {}


async def test_a_started_rotation_is_one_line(durable: FakeDurable, caplog: pytest.LogCaptureFixture) -> None:
    """The log names event, instance and how often the message was taken."""
    await receive(durable, event())
    (line,) = lines(caplog)
    assert (line["outcome"], line["instance"], line["dequeue_count"]) == ("started", "rotate.kv-one.api-key", 3)


async def test_garbage_raises(durable: FakeDurable, caplog: pytest.LogCaptureFixture) -> None:
    """The host is told to try again, and after its tries has a message for the poison queue."""
    with pytest.raises(GarbageEventError, match="expected JSON or base64 of it"):
        await receive(durable, text="not\nan event")
    (line,) = lines(caplog)
    assert (line["outcome"], line["dequeue_count"]) == ("garbage", 3)


async def test_a_bad_event_stops_no_other(durable: FakeDurable) -> None:
    """The readable events of a message start their rotations, then the message is refused for the others' sake."""
    with pytest.raises(GarbageEventError, match=r"event 2 of 3: data\.ObjectName"):
        await receive(durable, event("one"), event("?"), event("three"))
    assert set(durable.started) == {"rotate.kv-one.one", "rotate.kv-one.three"}


async def test_a_failing_start_stops_no_other(durable: FakeDurable, caplog: pytest.LogCaptureFixture) -> None:
    """When the engine fails at one event the others are started, and the host tries the message again."""
    durable.broken.add("rotate.kv-one.one")
    with pytest.raises(ConnectionError):
        await receive(durable, event("one"), event("two"))
    assert set(durable.started) == {"rotate.kv-one.two"}
    assert [(line["outcome"], line.get("problem")) for line in lines(caplog)] == [
        ("failed", "ConnectionError"),
        ("started", None),
    ]


@pytest.mark.parametrize("forged", ['x\n{"outcome": "started"}', "x\r\nlevel=error", "x\u2028y", "x\u0085y", "\x1b[2J"])
async def test_an_event_writes_no_line_of_its_own(
    durable: FakeDurable, caplog: pytest.LogCaptureFixture, forged: str
) -> None:
    """Line ends and terminal codes in any field of an event never reach the log as such."""
    for field in ("VaultName", "ObjectName", "Version", "ObjectType"):
        await receive(durable, event(kind="Microsoft.KeyVault.SecretNewVersionCreated", **{field: forged}))
        with pytest.raises(GarbageEventError) as caught:
            await receive(durable, event(**{field: forged}))
        assert str(caught.value).isprintable()
    for field in ("id", "eventType"):
        with pytest.raises(GarbageEventError):
            await receive(durable, {**event(), field: forged})
    assert len(lines(caplog)) == 10


def test_the_annotation_is_one_the_worker_takes() -> None:
    """The message is annotated with a class of the queue binding."""
    annotations = body_of(blueprint, "key_vault_events").__annotations__
    assert annotations["message"] is func.QueueMessage
    assert annotations["client"] is df.DurableFunctionsClient
