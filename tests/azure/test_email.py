"""Communication Services Email as its unmodified SDK and its published specification meet it."""

import contextlib
import copy
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.communication.email.aio import EmailClient
from azure.core.exceptions import HttpResponseError

from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, StaticCredential, simulated

SPEC = "acs-email/specification/communication/data-plane/Email/stable/2025-09-01/CommunicationServicesEmail.json"
AUDIENCE = "https://communication.azure.com"
DOCUMENT: dict[str, Any] = {
    "identities": {"rekey": {}, "stranger": {}},
    "mail": {
        "post": {"domains": {"contoso.example": {}}, "senders": ["DoNotReply@contoso.example"], "callers": ["rekey"]},
        "small": {
            "domains": {"abc.azurecomm.net": {"managed": True}},
            "senders": ["DoNotReply@abc.azurecomm.net"],
            "callers": ["rekey"],
        },
    },
}
MESSAGE: dict[str, Any] = {
    "senderAddress": "DoNotReply@contoso.example",
    "content": {"subject": "Rotated", "plainText": "done", "html": "<p>done</p>"},
    "recipients": {"to": [{"address": "ann@contoso.example"}], "cc": [{"address": "bob@contoso.example"}]},
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with a resource on a custom domain and one on a domain that Azure manages."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


def changed(**parts: Any) -> dict[str, Any]:
    """Return the message with parts replaced."""
    return {**copy.deepcopy(MESSAGE), **parts}


async def send(azure: Simulated, message: Any = None, identity: str = "rekey", **headers: str) -> Answer:
    """Send a mail with a bare request."""
    url = f"{azure.cloud.url('post.communication')}/emails:send?api-version=2025-09-01"
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await azure.call("POST", url, token=azure.token(identity, AUDIENCE), body=message or MESSAGE, headers=sent)


async def outbox(azure: Simulated) -> list[dict[str, Any]]:
    """Return the mails that were accepted."""
    mails: list[dict[str, Any]] = (await azure.call("GET", f"{azure.control}/_sim/outbox")).body["mails"]
    return mails


@contextlib.asynccontextmanager
async def sdk(azure: Simulated, identity: str = "rekey") -> AsyncIterator[EmailClient]:
    """Return the SDK's client as it comes, but for the certificate it trusts."""
    credential = StaticCredential(azure.token(identity, AUDIENCE))
    endpoint = azure.cloud.url("post.communication")
    async with EmailClient(endpoint, credential, connection_verify=azure.ca, retry_total=0) as client:
        yield client


async def test_sdk_sends_once_per_operation_id(azure: Simulated) -> None:
    """The unmodified SDK sends; the same operation id again is accepted without a second mail."""
    operation = str(uuid.uuid4())
    async with sdk(azure) as client:
        for _ in range(2):
            poller = await client.begin_send(MESSAGE, operation_id=operation, polling=False)
            assert (await poller.result())["status"] == "Running"
    (mail,) = await outbox(azure)
    assert mail["operation_id"] == operation
    assert mail["duplicates"] == 1
    assert (mail["sender"], mail["subject"]) == ("DoNotReply@contoso.example", "Rotated")
    assert (mail["text"], mail["html"]) == ("done", "<p>done</p>")
    assert (mail["to"], mail["cc"], mail["bcc"]) == (["ann@contoso.example"], ["bob@contoso.example"], [])


async def test_sdk_meets_the_refusal(azure: Simulated) -> None:
    """Who isn't allowed on the resource gets the SDK's error with status 403."""
    async with sdk(azure, "stranger") as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.begin_send(MESSAGE, polling=False)
    assert refused.value.status_code == 403
    assert await outbox(azure) == []


@needs_contracts
async def test_answers_match_the_specification(azure: Simulated) -> None:
    """Sending answers 202 with where to look; the operation runs, then succeeds, in the published shapes."""
    validate_request(SPEC, "Email_Send", MESSAGE, {"api-version": "2025-09-01"})
    accepted = await send(azure)
    assert accepted.status == 202
    validate_response(SPEC, "Email_Send", 202, accepted.body)
    assert int(accepted.headers["retry-after"]) > 0
    where, token = accepted.headers["Operation-Location"], azure.token("rekey", AUDIENCE)
    running = await azure.call("GET", where, token=token)
    azure.cloud.clock.advance(timedelta(seconds=2))
    done = await azure.call("GET", where, token=token)
    assert [running.body["status"], done.body["status"]] == ["Running", "Succeeded"]
    validate_response(SPEC, "Email_GetSendResult", 200, done.body)
    unknown = await azure.call("GET", where.replace(accepted.body["id"], str(uuid.uuid4())), token=token)
    assert unknown.status == 404
    validate_response(SPEC, "Email_GetSendResult", 404, unknown.body)


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        (changed(senderAddress="Someone <x@contoso.example>"), 400, "BadRequest"),
        (changed(senderAddress="other@contoso.example"), 400, "InvalidSenderUserName"),
        (changed(senderAddress="DoNotReply@elsewhere.example"), 404, "DomainNotLinked"),
        (changed(content={"subject": "no body"}), 400, "BadRequest"),
        (changed(content={"plainText": "no subject"}), 400, "BadRequest"),
        (changed(content={"subject": "one\r\nBcc: two", "plainText": "x"}), 400, "BadRequest"),
        (changed(recipients={"to": []}), 400, "BadRequest"),
        (changed(recipients={"to": [{"address": "nobody"}]}), 400, "BadRequest"),
        (changed(recipients={"to": [{"address": f"p{n}@contoso.example"} for n in range(51)]}), 400, "BadRequest"),
        (changed(colour="red"), 400, "BadRequest"),
    ],
)
async def test_bad_messages(azure: Simulated, message: dict[str, Any], status: int, code: str) -> None:
    """A message that the real service would refuse is refused in its words, and nothing is sent."""
    answer = await send(azure, message)
    assert (answer.status, answer.body["error"]["code"]) == (status, code)
    assert answer.headers["x-ms-error-code"] == code
    assert await outbox(azure) == []


async def test_bad_operation_id(azure: Simulated) -> None:
    """An operation id has to be a UUID."""
    assert (await send(azure, Operation_Id="rotation-1")).status == 400


async def test_wrong_audience(azure: Simulated) -> None:
    """A token for another service is refused."""
    url = f"{azure.cloud.url('post.communication')}/emails:send?api-version=2025-09-01"
    token = azure.token("rekey", "https://vault.azure.net")
    assert (await azure.call("POST", url, token=token, body=MESSAGE)).status == 401


async def test_limits(azure: Simulated) -> None:
    """A custom domain takes 30 mails a minute, one that Azure manages 5, then answers 429 with Retry-After."""
    statuses = [(await send(azure)).status for _ in range(31)]
    assert statuses == [202] * 30 + [429]
    url = f"{azure.cloud.url('small.communication')}/emails:send?api-version=2025-09-01"
    message = changed(senderAddress="DoNotReply@abc.azurecomm.net")
    token = azure.token("rekey", AUDIENCE)
    small = [await azure.call("POST", url, token=token, body=message) for _ in range(6)]
    assert [answer.status for answer in small] == [202] * 5 + [429]
    azure.cloud.clock.advance(timedelta(seconds=int(small[-1].headers["Retry-After"])))
    assert (await azure.call("POST", url, token=token, body=message)).status == 202
