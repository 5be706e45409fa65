"""The frame around each step: what is raised becomes an outcome, a record entry and a log line, and nothing leaks."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities import step
from activities.open_record import open_record
from activities.step import Desk, run_step, run_unrecorded
from local.storage import Azurite
from rekey.clients import Clients
from rekey.errors import InputError, NotYetError, PermanentError, ScopeError, UnclearError
from rekey.model import CredentialRef, Issued, Policy, Question, Reason, Rotation, RotationRequest, Walk, encode
from rekey.records import Record
from tests.rekey.toys import APP, VAULT, settings

CANARY = "Zq8~canary"
ID = "11111111-1111-4111-8111-111111111111"
WALK = Walk(
    rotation=Rotation(
        id=ID,
        vault=VAULT,
        secret="deploy",
        reason=Reason.EVENT,
        started=datetime(2030, 1, 1, tzinfo=UTC),
        policy=Policy(credential=CredentialRef("entra-app-password", APP)),
        old_version="v1",
    )
)


class SdkError(Exception):
    """Quotes what it was sent, as SDKs do."""


@pytest.fixture
async def clients(azurite: Azurite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Clients]:
    """Return clients on a storage account that no other test uses."""
    monkeypatch.setattr("rekey.names.CONTAINER", f"t{abs(hash(tmp_path)):x}")
    made = Clients(settings(AzureWebJobsStorage=azurite.connection_string))
    monkeypatch.setattr(step, "clients", lambda: made)
    await made.storage_ready()
    await open_record(Desk(made), WALK)
    yield made
    await made.aclose()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Return the step events that were logged."""
    caplog.set_level(logging.DEBUG)

    def logged() -> list[dict[str, Any]]:
        texts = [r.getMessage() for r in caplog.records if r.name == "rekey.step"]
        return [json.loads(text) for text in texts if text.startswith("{")]

    return logged


def raising(error: Exception) -> Callable[[Desk, Any], Awaitable[Any]]:
    """Return a step that raises it."""

    async def body(_desk: Desk, _given: Any) -> Any:
        raise error

    return body


async def record(clients: Clients) -> Record:
    """Return the rotation's record."""
    found = await Desk(clients).records().read(ID)
    assert found
    return found


OUTCOMES = [
    (NotYetError("busy", "wait", 7.0), {"outcome": "retry-after", "code": "busy", "message": "wait", "seconds": 7.0}),
    (UnclearError("lost", "look", 15.0), {"outcome": "unclear", "code": "lost", "message": "look", "seconds": 15.0}),
    (
        PermanentError("no", "never", "Do this."),
        {"outcome": "permanent", "code": "no", "message": "never", "what_to_do": "Do this."},
    ),
    (
        InputError("field", "value", "better"),
        {
            "outcome": "permanent",
            "code": "bad-input",
            "message": "field: got 'value', expected better",
            "what_to_do": "Correct field and start again.",
        },
    ),
    (
        ScopeError("vault", "x", "ours"),
        {
            "outcome": "permanent",
            "code": "out-of-scope",
            "message": "vault: got 'x', expected ours",
            "what_to_do": "Correct vault and start again.",
        },
    ),
]


@pytest.mark.parametrize(("error", "outcome"), OUTCOMES, ids=[type(e).__name__ for e, _ in OUTCOMES])
async def test_error_becomes_its_outcome(
    clients: Clients, lines: Callable[[], list[dict[str, Any]]], error: Exception, outcome: dict[str, Any]
) -> None:
    """Each error of ours has one outcome, which is also on the record and in one line of the log."""
    assert await run_step("preflight", raising(error), encode(WALK)) == outcome
    (entry,) = (await record(clients)).entries
    assert (entry.step, entry.outcome, entry.code, entry.message) == (
        "preflight",
        outcome["outcome"],
        outcome["code"],
        outcome["message"],
    )
    (line,) = lines()
    assert line == {
        "event": "step",
        "step": "preflight",
        "rotation_id": ID,
        "vault": VAULT,
        "secret": "deploy",
        "state": "refused" if outcome["outcome"] == "permanent" else "retrying",
        "waiting_for": outcome["code"],
        **{k: outcome[k] for k in ("outcome", "code", "message")},
    }


async def test_success_is_recorded_with_its_value(clients: Clients, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """What a step returns is its outcome's value and the record's detail; the log has the step alone."""
    issued = Issued(key_id="key", expires=datetime(2030, 1, 1, tzinfo=UTC), staged_version="v")

    async def body(_desk: Desk, _walk: Walk) -> Issued:
        return issued

    assert await run_step("generate_credential", body, encode(WALK)) == {"outcome": "ok", "value": encode(issued)}
    found = await record(clients)
    assert found.did("generate_credential")
    assert found.entries[0].detail == encode(issued)
    said = {"outcome": "ok", "vault": VAULT, "secret": "deploy", "state": "running"}
    assert lines() == [{"event": "step", "step": "generate_credential", "rotation_id": ID, **said}]


@pytest.mark.parametrize(
    "error",
    [
        SdkError(f"request body: {CANARY}"),
        KeyError(CANARY),
        ValueError(f"can't parse {CANARY}"),
        ExceptionGroup(CANARY, [SdkError(CANARY)]),
        TimeoutError(CANARY),
        RecursionError(CANARY),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_text_of_unknown_errors_stays_inside(
    clients: Clients, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """An SDK's error is told by its type and the place it came from: not in outcome, record or log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    outcome = await run_step("preflight", raising(error), encode(WALK))
    assert outcome == {
        "outcome": "retry-after",
        "code": "unexpected",
        "message": f"{type(error).__name__} in step preflight",
        "seconds": None,
    }
    assert CANARY not in f"{outcome} {await record(clients)} {caplog.text}"
    assert not any(r.exc_info for r in caplog.records)
    assert "test_step.py" in caplog.text


async def test_chained_causes_stay_inside(clients: Clients, caplog: pytest.LogCaptureFixture) -> None:
    """What an error was raised from is not told either."""
    caplog.set_level(logging.DEBUG)

    async def body(_desk: Desk, _walk: Walk) -> None:
        raise NotYetError("busy", "wait") from SdkError(CANARY)

    outcome = await run_step("preflight", body, encode(WALK))
    assert CANARY not in f"{outcome} {await record(clients)} {caplog.text}"


async def test_success_that_is_not_on_the_record_is_repeated(clients: Clients) -> None:
    """A step whose entry can't be written isn't done: it comes again."""

    async def body(desk: Desk, _walk: Walk) -> str:
        await desk.clients.container().delete_container()
        return "done"

    outcome = await run_step("preflight", body, encode(WALK))
    assert outcome["outcome"] == "retry-after"
    del clients


async def test_result_that_is_no_json_is_an_outcome_too(clients: Clients) -> None:
    """A step that returns what can't be encoded doesn't throw."""

    async def body(_desk: Desk, _walk: Walk) -> object:
        return object()

    assert (await run_step("preflight", body, encode(WALK)))["code"] == "unexpected"
    del clients


async def test_step_before_the_record_needs_none(clients: Clients, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Reading the policy comes before the record: it is logged and not recorded."""
    request = RotationRequest(vault=VAULT, secret="other")
    question = Question(request=request, rotation_id="another", started=datetime.now(UTC))

    async def body(_desk: Desk, _question: Question) -> None:
        return None

    assert (await run_unrecorded("read_policy", Question, body, encode(question)))["outcome"] == "ok"
    assert await Desk(clients).records().read("another") is None
    assert [line["rotation_id"] for line in lines()] == ["another"]
