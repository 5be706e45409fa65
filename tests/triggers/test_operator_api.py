"""The operator API: what starts a rotation, what is shown of it, and what never is."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from azure.storage.blob.aio import BlobServiceClient

from rekey.clients import clients
from rekey.model import Reason
from rekey.records import Entry, Record, Records
from tests.triggers import asking
from tests.triggers.durable import FakeDurable, functions
from triggers.operator_api import blueprint

pytestmark = pytest.mark.usefixtures("app_settings")

INSTANCE = "rotate.kv-one.api-key"


async def ask(durable: FakeDurable, function: str, body: object = None, **options: Any) -> tuple[int, Any]:
    """Call a function; return status and JSON."""
    return await asking.ask(blueprint, function, body, durable=durable, **options)


async def start(durable: FakeDurable, body: object, **headers: str) -> tuple[int, Any]:
    return await ask(durable, "post_rotation", body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def record(rotation_id: str = "", **changes: Any) -> Record:
    known: dict[str, Any] = {
        "rotation_id": rotation_id or str(uuid4()),
        "instance_id": INSTANCE,
        "deployment": "dev",
        "vault": "kv-one",
        "secret": "api-key",
        "reason": Reason.MANUAL,
        "opened": datetime(2030, 1, 1, tzinfo=UTC),
        "policy_digest": "d",
        "old_version": "v",
    }
    return Record(**known | changes)


def status_of(kept: Record, **changes: Any) -> dict[str, Any]:
    return {"rotation_id": kept.rotation_id, "step": "grace", "state": "waiting", **changes}


@pytest.mark.parametrize(
    ("name", "method", "route"),
    [
        ("post_rotation", "POST", "rotations"),
        ("list_rotations", "GET", "rotations"),
        ("show_rotation", "GET", "rotations/{id}"),
    ],
)
def test_the_host_is_told_of_the_routes(name: str, method: str, route: str) -> None:
    """Each function takes one method on one route, and none without a key."""
    trigger = functions(blueprint)[name].get_trigger().get_dict_repr()
    assert [str(m) for m in trigger["methods"]] == [method]
    assert trigger["route"] == route
    assert trigger["authLevel"].name == "FUNCTION"


async def test_a_rotation_is_started(durable: FakeDurable) -> None:
    """Names in any case start the one instance of the secret, in the name of who signed in."""
    body = {"vault": "KV-One", "secret": "Api-Key", "reason": "leak", "requested_by": "someone else"}
    status, answer = await start(durable, body, x_ms_client_principal_name="ops@contoso.example")
    assert (status, answer["started"], answer["instance"]) == (202, True, INSTANCE)
    assert durable.started == {
        INSTANCE: {
            "vault": "kv-one",
            "secret": "api-key",
            "reason": "leak",
            "requested_by": "ops@contoso.example",
            "digest": False,
        }
    }


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "SUSPENDED", "CONTINUED_AS_NEW"])
async def test_a_rotation_on_its_way_is_not_started_again(durable: FakeDurable, status: str) -> None:
    """One at a time: the answer names the instance that is there and says that nothing was started."""
    durable.put(INSTANCE, status)
    code, answer = await start(durable, {"vault": "kv-one", "secret": "api-key"})
    assert (code, answer["started"], answer["instance"]) == (202, False, INSTANCE)
    assert durable.started == {}


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "TERMINATED"])
async def test_a_rotation_that_ended_can_be_started_again(durable: FakeDurable, status: str) -> None:
    """What ended is no obstacle, and without a reason it is a manual start."""
    durable.put(INSTANCE, status)
    code, answer = await start(durable, {"vault": "kv-one", "secret": "api-key"})
    assert (code, answer["started"]) == (202, True)
    assert durable.started[INSTANCE]["reason"] == "manual"


async def test_the_links_of_an_answer_lead_to_the_rotation(durable: FakeDurable, records: Records) -> None:
    """What the start's answer points at shows the instance that was started."""
    del records
    _, answer = await start(durable, {"vault": "kv-one", "secret": "api-key"})
    assert answer["rotations"] == "/api/rotations?state=open"
    prefix, _, wanted = answer["rotation"].rpartition("/")
    assert prefix == "/api/rotations"
    status, shown = await ask(durable, "show_rotation", wanted=wanted)
    assert (status, shown["instance"]["id"], shown["record"]) == (200, INSTANCE, None)


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (b"", "body", "0 bytes that aren't JSON, expected an object"),
        (b'{"vault":', "body", "9 bytes that aren't JSON"),
        (b"\xff", "body", "1 bytes that aren't JSON"),
        (b"[" * 9000, "body", "9000 bytes that aren't JSON"),
        (b" " * 20000, "body", "20000 bytes, expected at most 16384"),
        (["kv-one"], "body", "got a list, expected an object"),
        ({"secret": "s"}, "vault", "missing, expected a Key Vault name"),
        ({"vault": "kv-one"}, "secret", "missing, expected a secret's name"),
        ({"vault": "https://kv-one.vault.azure.net", "secret": "s"}, "vault", "got 'https://kv-one.vault.azure.net'"),
        ({"vault": 7, "secret": "s"}, "vault", "got 7, expected a Key Vault name"),
        ({"vault": "kv-one", "secret": "a.b"}, "secret", "got 'a.b', expected a secret's name"),
        ({"vault": "kv-one", "secret": "s", "reason": "why"}, "reason", "got 'why', expected one of event, schedule"),
        ({"vault": "kv-one", "secret": "s", "force": True}, "force", "unknown, expected vault, secret"),
    ],
)
async def test_bad_input_is_named(durable: FakeDurable, body: object, field: str, said: str) -> None:
    """A request that can't be used is a 400 that says field, value and what was expected."""
    status, answer = await start(durable, body)
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (400, "bad-input", field)
    assert answer["error"]["message"].startswith(f"{field}: {said}")
    assert durable.started == {}


async def test_a_vault_that_settings_do_not_allow_is_refused(durable: FakeDurable) -> None:
    """A caller chooses among the vaults of the settings, never beyond."""
    status, answer = await start(durable, {"vault": "kv-three", "secret": "s"})
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (400, "out-of-scope", "vault")
    assert "kv-one, kv-two" in answer["error"]["message"]
    assert durable.started == {}


async def test_nothing_pasted_gets_into_an_instance_id(durable: FakeDurable) -> None:
    """A line end behind a name, as a shell leaves it, is no part of the instance's id or of its input."""
    await start(durable, {"vault": "kv-one", "secret": "api-key\n"})
    assert "\n" not in json.dumps(durable.started)
    assert not [instance for instance in durable.started if not instance.isprintable()]


@pytest.mark.parametrize(
    ("name", "kept"), [("", "operator API"), ("a\r\nb\u2028c", "abc"), ("x" * 500, "x" * 200), ("\x1b", "operator API")]
)
async def test_who_asks_is_kept_in_one_short_line(durable: FakeDurable, name: str, kept: str) -> None:
    """The caller's name goes into evidence: printable, at most 200 characters, and never empty."""
    await start(durable, {"vault": "kv-one", "secret": "api-key"}, x_ms_client_principal_name=name)
    assert durable.started[INSTANCE]["requested_by"] == kept


async def test_rotations_are_listed_by_state(durable: FakeDurable, records: Records) -> None:
    """The listing has the records of that state, newest first, and all of them without one."""
    older, newer = record(), record(opened=datetime(2030, 2, 1, tzinfo=UTC), secret="other")
    ended = record(opened=datetime(2029, 1, 1, tzinfo=UTC))
    for kept in (older, newer, ended):
        await records.open(kept)
    await records.close(ended.rotation_id, "done")

    async def ids(**query: str) -> list[str]:
        status, answer = await ask(durable, "list_rotations", query=query)
        assert status == 200
        return [listed["rotation_id"] for listed in answer["rotations"]]

    assert await ids(state="open") == [newer.rotation_id, older.rotation_id]
    assert await ids(state="closed") == [ended.rotation_id]
    assert await ids() == [newer.rotation_id, older.rotation_id, ended.rotation_id]


async def test_a_listed_rotation_is_joined_with_its_instance_only(durable: FakeDurable, records: Records) -> None:
    """An instance appears at the rotation it walks; another open one of the same secret has nothing that drives it."""
    walked, orphan = record(), record(opened=datetime(2030, 2, 1, tzinfo=UTC))
    for kept in (walked, orphan):
        await records.open(kept)
    durable.put(INSTANCE, custom_status=status_of(walked, waiting_for="grace"))
    _, answer = await ask(durable, "list_rotations", query={"state": "open"})
    first, second = answer["rotations"]
    assert (first["rotation_id"], first["instance"]) == (orphan.rotation_id, None)
    assert second["rotation_id"] == walked.rotation_id
    assert second["instance"]["runtime_status"] == "Running"
    assert second["instance"]["custom_status"]["waiting_for"] == "grace"


@pytest.mark.parametrize("state", ["OPEN", "running", "open,closed", "' or 1=1"])
async def test_a_state_that_does_not_exist_is_named(durable: FakeDurable, state: str) -> None:
    """A wrong state is a 400, never an empty list that looks like an answer."""
    status, answer = await ask(durable, "list_rotations", query={"state": state})
    assert (status, answer["error"]["field"]) == (400, "state")
    assert "expected one of open, closed" in answer["error"]["message"]


@pytest.mark.parametrize("by_instance", [False, True])
async def test_a_rotation_is_shown_in_full(durable: FakeDurable, records: Records, *, by_instance: bool) -> None:
    """Either id leads to the whole record and to what its instance is doing."""
    kept = record(entries=(Entry(step="open_record", outcome="ok", at=datetime(2030, 1, 1, tzinfo=UTC)),))
    await records.open(kept)
    durable.put(INSTANCE, custom_status=status_of(kept))
    wanted = "Rotate.KV-One.Api-Key" if by_instance else kept.rotation_id.upper()
    status, shown = await ask(durable, "show_rotation", wanted=wanted)
    assert status == 200
    assert (shown["record"]["rotation_id"], shown["record"]["state"]) == (kept.rotation_id, "open")
    assert shown["record"]["entries"][0]["step"] == "open_record"
    assert shown["instance"] == {
        "id": INSTANCE,
        "runtime_status": "Running",
        "custom_status": status_of(kept),
        "created": "2030-01-01T12:00:00Z",
        "last_updated": "2030-01-01T12:00:00Z",
    }


async def test_an_instance_that_went_on_is_not_shown_at_an_old_rotation(durable: FakeDurable, records: Records) -> None:
    """What the secret's instance does now says nothing of a rotation that ended before."""
    past, present = record(), record()
    await records.open(past)
    durable.put(INSTANCE, "CONTINUED_AS_NEW", custom_status=status_of(present))
    _, shown = await ask(durable, "show_rotation", wanted=past.rotation_id)
    assert shown["record"]["rotation_id"] == past.rotation_id
    assert shown["instance"] is None


@pytest.mark.parametrize(
    ("custom_status", "shown"),
    [(None, None), ("text", "text"), ({"rotation_id": "../other"}, {"rotation_id": "../other"})],
)
async def test_an_instance_without_a_record_is_shown_alone(
    durable: FakeDurable, records: Records, custom_status: object, shown: object
) -> None:
    """An instance that names no rotation, or none that an id could be, is shown and no record is looked for."""
    del records
    durable.put(INSTANCE, "FAILED", custom_status=custom_status)
    status, answer = await ask(durable, "show_rotation", wanted=INSTANCE)
    assert (status, answer["record"]) == (200, None)
    assert (answer["instance"]["runtime_status"], answer["instance"]["custom_status"]) == ("Failed", shown)


@pytest.mark.parametrize(
    "wanted",
    [
        "0b7e9f3c-8f0a-4e4e-9d5e-0123456789ab",
        "rotate.kv-one.unknown",
        "rotate.kv-one",
        "../leases/x",
        "another-orchestration",
        "",
    ],
)
async def test_an_unknown_id_is_not_found(durable: FakeDurable, records: Records, wanted: str) -> None:
    """An id of nothing is a 404 that says what ids look like."""
    del records
    status, answer = await ask(durable, "show_rotation", wanted=wanted)
    assert (status, answer["error"]["code"]) == (404, "unknown-rotation")
    assert "expected a rotation's id" in answer["error"]["message"]


async def test_other_instances_are_none_of_an_operators_business(durable: FakeDurable, records: Records) -> None:
    """Only instances that rotate are shown; what else runs on the engine is not found."""
    del records
    durable.put("another-orchestration")
    status, _ = await ask(durable, "show_rotation", wanted="another-orchestration")
    assert status == 404


async def test_what_is_wrong_with_storage_is_said(durable: FakeDurable, records: Records) -> None:
    """A storage account without the container is a 500 that says what to do."""
    await records._container.delete_container()
    status, answer = await ask(durable, "list_rotations")
    assert (status, answer["error"]["code"]) == (500, "storage-refused")
    assert "Create the blob container" in answer["error"]["message"]


async def test_storage_that_is_away_is_worth_another_try(durable: FakeDurable) -> None:
    """Without an answer from storage it is a 503 with the time to wait, for that passes."""
    nobody = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a;"
    async with BlobServiceClient.from_connection_string(nobody, retry_total=0) as service:
        clients()._made["storage"] = service.get_container_client("any")
        response = await asking.call(blueprint, "list_rotations", durable=durable)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert json.loads(response.get_body())["error"]["code"] == "storage-unreachable"
