"""How rotations start: HTTP, and whatever Event Grid and everybody else puts into the queue."""

import base64
import json
from typing import Any

import pytest

from local.processes import wait_until
from local.scenario import QUEUE
from tests.e2e.company import Company
from tests.e2e.managed import Managed

POISON = f"{QUEUE}-poison"
OF_THE_ENGINE = ("runtime/webhooks", "statusQueryGetUri", "terminatePostUri", "code=", "taskHub", "sig=")
"""What an answer of the operator API may not hold: whoever has a management URL can terminate, raise and purge."""


def test_a_rotation_is_started_listed_and_shown_over_http(company: Company) -> None:
    """POST starts it, the list and the rotation's own page show record and instance, never a management URL."""
    managed = company.manage(grace="PT4S")
    answers = [company.ask("POST", "/api/rotations", managed.request, expected=202)]
    assert (answers[0]["instance"], answers[0]["started"]) == (managed.instance, True)
    managed.reaches("grace")
    answers += [listed := company.ask("GET", "/api/rotations?state=open")]
    mine = next(r for r in listed["rotations"] if r["secret"] == managed.secret)
    assert mine["instance"]["custom_status"]["step"] == "grace"
    answers += [shown := company.ask("GET", f"/api/rotations/{mine['rotation_id']}")]
    assert shown["record"]["reason"] == "manual"
    answers += [by_instance := company.ask("GET", f"/api/rotations/{managed.instance}")]
    assert by_instance["record"]["rotation_id"] == mine["rotation_id"]
    assert managed.finished()["output"]["result"] == "done"
    answers += [closed := company.ask("GET", "/api/rotations?state=closed")]
    assert next(r for r in closed["rotations"] if r["secret"] == managed.secret)["result"] == "done"
    text = json.dumps(answers)
    assert not [word for word in OF_THE_ENGINE if word in text]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], ["input: got []", "vault", "secret"]),
        ({"secret": "s"}, ["vault: missing", "a Key Vault name"]),
        ({"vault": "kv-one", "secret": "a/b"}, ["secret: got 'a/b'", "letters, digits and hyphens"]),
        ({"vault": "kv-one", "secret": "s", "reason": "boredom"}, ["reason: got 'boredom'", "event, schedule, manual"]),
        ({"vault": "kv-one", "secret": "s", "force": True}, ["force: unknown"]),
    ],
)
def test_wrong_input_fails_the_instance_and_says_what_was_expected(
    company: Company, given: Any, named: list[str]
) -> None:
    """The durable HTTP API takes any input: the instance fails with field, value and expectation."""
    status = company.finished(company.start(given))
    assert status["runtimeStatus"] == "Failed"
    assert all(words in str(status["output"]) for words in named), status["output"]


def test_a_vault_that_settings_do_not_name_is_refused(company: Company) -> None:
    """By hand too: the operators are told, in a failed instance and a mail, which vaults there are."""
    status = company.finished(company.start({"vault": "kv-elsewhere", "secret": "s"}, "rotate.kv-elsewhere.s"))
    assert status["runtimeStatus"] == "Failed"
    assert "kv-elsewhere" in str(status["output"])
    assert company.scenario.vault in str(status["output"])
    assert not [r for r in company.stack.control.requests() if "kv-elsewhere" in r["host"]]
    mails = [m for m in company.stack.control.outbox() if "kv-elsewhere/s" in m["subject"]]
    assert [m["to"] for m in mails] == [[company.scenario.operator]]


def test_an_untagged_secret_is_none_of_ours(company: Company) -> None:
    """Most secrets of a vault carry no policy: their events end `not-due`, and only the log knows."""
    managed = company.manage(event=True, secret={"tags": {"team": "payments"}})
    assert "no rotation policy" in managed.ends("not-due")["output"]["reason"]
    _nothing_happened(managed)
    assert managed.secret in company.log()


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
@pytest.mark.parametrize("encoding", ["base64", "plain"])
def test_an_event_is_understood_in_every_form(company: Company, encoding: str, schema: str) -> None:
    """Both envelopes, as text or as base64, come through the real queue."""
    managed = company.manage(secret={"tags": {"team": "payments"}})
    company.raise_event(managed, encoding=encoding, schema=schema)
    assert "no rotation policy" in managed.ends("not-due")["output"]["reason"]


def test_several_events_in_one_message_start_each(company: Company) -> None:
    """Event Grid may put an array into one message."""
    several = [company.manage(secret={"tags": None}) for _ in range(2)]
    company.put(json.dumps([_event(m.vault, m.secret) for m in several]))
    for managed in several:
        managed.ends("not-due")


def test_an_event_of_another_vault_starts_nothing(company: Company) -> None:
    """Whoever may write to the queue can name any vault: it isn't asked, no instance is made, the log says so."""
    company.put(json.dumps(_event("kv-of-somebody", "s")))
    wait_until(lambda: "unknown-vault" in company.log(), "the log names the unknown vault")
    wait_until(lambda: company.messages() == 0, "the message was taken")
    assert not company.status("rotate.kv-of-somebody.s")
    assert not [r for r in company.stack.control.requests() if "kv-of-somebody" in r["host"]]


def test_an_event_of_another_type_is_acknowledged(company: Company) -> None:
    """A subscription without a filter sends every type: what isn't about an end starts nothing and is logged."""
    managed = company.manage(secret={"expires_with_password": None, "tags": {"n": "1"}})
    kinds = ("SecretNewVersionCreated", "KeyNearExpiry", "CertificateExpired")
    for kind in kinds:
        company.put(json.dumps(_event(managed.vault, managed.secret, kind)))
    wait_until(lambda: _acknowledged(company, managed.secret) == len(kinds), "the log acknowledges each")
    wait_until(lambda: company.messages() == 0, "the messages were taken")
    assert not managed.status()


def test_garbage_is_set_aside_and_its_neighbour_starts(company: Company) -> None:
    """After its five tries a message that can't be read is in the poison queue, as it was; others don't wait for it."""
    neighbour = company.manage(secret={"tags": None})
    before = company.messages(POISON)
    company.put("this is no event")
    company.put(base64.b64encode(json.dumps(_event(neighbour.vault, neighbour.secret)).encode()).decode())
    neighbour.ends("not-due")
    wait_until(lambda: company.messages(POISON) == before + 1, "the garbage is in the poison queue")
    with company.queue(POISON) as queue:
        assert [m.content for m in queue.peek_messages(max_messages=32)][before:] == ["this is no event"]
    assert company.log().count('"outcome":"garbage"') == 5


def _event(vault: str, secret: str, kind: str = "SecretNearExpiry") -> dict[str, Any]:
    return {
        "id": "00000000-0000-0000-0000-000000000001",
        "topic": f"/subscriptions/x/resourceGroups/y/providers/Microsoft.KeyVault/vaults/{vault}",
        "subject": secret,
        "eventType": f"Microsoft.KeyVault.{kind}",
        "data": {
            "Id": f"https://{vault}.vault.azure.net/secrets/{secret}/abc",
            "VaultName": vault,
            "ObjectType": "Secret",
            "ObjectName": secret,
            "Version": "abc",
            "NBF": None,
            "EXP": 1893456000,
        },
        "dataVersion": "1",
        "metadataVersion": "1",
        "eventTime": "2026-01-01T00:00:00Z",
    }


def _acknowledged(company: Company, secret: str) -> int:
    return len([line for line in company.log().splitlines() if '"acknowledged"' in line and secret in line])


def _nothing_happened(managed: Managed) -> None:
    assert managed.changes() == []
    assert managed.mails() == []
    assert len(managed.versions()) == 1
    assert managed.records() == []
