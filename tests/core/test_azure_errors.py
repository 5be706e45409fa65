"""What the services' errors mean: one table for the SDKs on azure-core, one for Graph, and no service is quoted."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from aiohttp import web
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from kiota_abstractions.api_error import APIError
from msgraph.generated.models.o_data_errors.main_error import MainError
from msgraph.generated.models.o_data_errors.o_data_error import ODataError

from rekey.azure_devops_endpoints import GRANT, ServiceEndpoints
from rekey.azure_errors import of_sdk, of_status, retry_after, translated
from rekey.entra_graph import EntraGraph, _password
from rekey.errors import NotYetError, PermanentError, RekeyError, UnclearError
from rekey.graph_errors import graph_translated
from rekey.secret_value import SecretValue
from rekey.vault import Vault
from tests.core.rogue import Behaviour, Rogue, rogue
from tests.rekey.toys import VAULT

CANARY = "Zq8~canary"

STATUSES = [
    (400, PermanentError, "refused", PermanentError),
    (401, PermanentError, "unauthorized", PermanentError),
    (403, PermanentError, "forbidden", PermanentError),
    (404, PermanentError, "not-found", PermanentError),
    (408, NotYetError, "conflict", UnclearError),
    (409, NotYetError, "conflict", NotYetError),
    (412, NotYetError, "conflict", NotYetError),
    (422, PermanentError, "refused", PermanentError),
    (429, NotYetError, "throttled", NotYetError),
    (500, NotYetError, "service-unavailable", UnclearError),
    (502, NotYetError, "service-unavailable", UnclearError),
    (503, NotYetError, "service-unavailable", UnclearError),
    (504, NotYetError, "service-unavailable", UnclearError),
]


@pytest.mark.parametrize(("status", "kind", "code", "once"), STATUSES, ids=[str(row[0]) for row in STATUSES])
def test_status_has_one_meaning(status: int, kind: type[RekeyError], code: str, once: type[RekeyError]) -> None:
    """Each status is permanent, too early, or unclear where the write mustn't be repeated; and says what to do."""
    found = of_status(status, "Vault x", retry_after=11.0, service_code="SomeCode")
    assert (type(found), found.code) == (kind, code)
    assert found.message == f"Vault x: HTTP {status} SomeCode"
    assert found.what_to_do
    assert type(of_status(status, "Vault x", repeatable=False)) is once
    if isinstance(found, NotYetError):
        assert found.seconds == 11.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-4", 0.0), (None, None), ("tomorrow", None), ("", None)],
)
def test_retry_after_is_seconds_or_nothing(header: str | None, seconds: float | None) -> None:
    """Nonsense or nothing leaves the wait to the backoff."""
    assert retry_after({"Retry-After": header} if header is not None else {}) == seconds
    assert retry_after(None) is None


def test_retry_after_may_be_a_date() -> None:
    """A date is as good as the seconds until then; one that has passed, or is endlessly far, is no more than that."""
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    found = retry_after({"Retry-After": later})
    assert found is not None
    assert 500 < found <= 600
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"Retry-After": "Wed, 21 Oct 9015 07:28:00 GMT"}) == 86400.0


@pytest.mark.parametrize(("header", "seconds"), [("nan", None), ("inf", None), ("1e400", None), ("1e300", 86400.0)])
def test_endless_retry_after_is_a_day_at_most(header: str, seconds: float | None) -> None:
    """A number that is none, or that no clock counts to, stops no rotation."""
    assert retry_after({"Retry-After": header}) == seconds


@pytest.mark.parametrize(
    ("error", "repeatable", "kind", "code"),
    [
        (ServiceRequestError(CANARY), True, NotYetError, "unreachable"),
        (ServiceRequestError(CANARY), False, NotYetError, "unreachable"),
        (ServiceResponseError(CANARY), True, NotYetError, "unreachable"),
        (ServiceResponseError(CANARY), False, UnclearError, "answer-lost"),
        (ClientAuthenticationError(CANARY), True, NotYetError, "sign-in-failed"),
        (ClientAuthenticationError(CANARY), False, NotYetError, "sign-in-failed"),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, AzureError) else str(value),
)
def test_error_without_an_answer(error: AzureError, repeatable: bool, kind: type[RekeyError], code: str) -> None:  # noqa: FBT001
    """What was never sent is repeated; what may have arrived is looked at first."""
    found = of_sdk(error, "Vault x", repeatable=repeatable)
    assert (type(found), found.code) == (kind, code)
    assert CANARY not in found.message


@pytest.mark.parametrize(("repeatable", "kind"), [(True, NotYetError), (False, UnclearError)])
def test_success_that_is_none_can_not_be_read(repeatable: bool, kind: type[RekeyError]) -> None:  # noqa: FBT001
    """A page with 200 where the SDK knows no such success is no refusal: somebody stands between."""
    error = HttpResponseError(CANARY)
    error.status_code = 200
    found = of_sdk(error, "Vault x", repeatable=repeatable)
    assert (type(found), found.code) == (kind, "malformed-answer")


def test_nothing_of_the_sdk_is_chained() -> None:
    """The SDK's error holds request and answer: it isn't kept as cause or context that a log would print."""
    error = HttpResponseError(CANARY)
    error.status_code = 400
    with pytest.raises(PermanentError) as caught, translated("Vault x"):
        raise error
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert CANARY not in f"{caught.value!r} {caught.value.message} {caught.value.what_to_do}"


def test_other_errors_pass() -> None:
    """A defect of ours isn't taken for the service's."""
    with pytest.raises(LookupError), translated("Vault x"):
        raise LookupError


def _graph(status: int, code: str = "", message: str = "", retry: str | None = None) -> ODataError:
    error = ODataError(error=MainError(code=code, message=message))
    error.response_status_code = status
    error.response_headers = {"Retry-After": retry} if retry else {}
    return error


GRAPH = [
    (_graph(409, "Directory_ConcurrencyViolation"), NotYetError, "concurrent-change"),
    (_graph(400, "Directory_ConcurrencyViolation"), NotYetError, "concurrent-change"),
    (_graph(400, "Request_BadRequest", "No password credential found with keyId."), PermanentError, "no-such-password"),
    (_graph(403, "Authorization_RequestDenied", CANARY), PermanentError, "forbidden"),
    (_graph(404, "Request_ResourceNotFound", CANARY), PermanentError, "no-application"),
    (_graph(400, "CredentialInvalidLifetimeAsPerAppPolicy", CANARY), PermanentError, "lifetime-forbidden"),
    (_graph(400, "CredentialTypeNotAllowedAsPerAppPolicy", CANARY), PermanentError, "passwords-forbidden"),
    (_graph(400, "x", f"the credential limit has been reached {CANARY}"), PermanentError, "no-room"),
    (_graph(400, "x", "A maximum of 2 encrypted credentials"), PermanentError, "no-room"),
    (_graph(400, "Request_BadRequest", CANARY), PermanentError, "refused"),
    (_graph(401, "InvalidAuthenticationToken", CANARY), PermanentError, "unauthorized"),
    (_graph(429, "TooManyRequests", CANARY, "21"), NotYetError, "throttled"),
    (_graph(500, "x", CANARY), UnclearError, "answer-unclear"),
    (_graph(503, "x", CANARY), UnclearError, "answer-unclear"),
    (_graph(504, "x", CANARY), UnclearError, "answer-unclear"),
    (httpx.ConnectError(CANARY), NotYetError, "unreachable"),
    (httpx.ConnectTimeout(CANARY), NotYetError, "unreachable"),
    (httpx.PoolTimeout(CANARY), NotYetError, "unreachable"),
    (httpx.ReadTimeout(CANARY), UnclearError, "answer-lost"),
    (httpx.RemoteProtocolError(CANARY), UnclearError, "answer-lost"),
    (APIError(CANARY), PermanentError, "refused"),
]


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    GRAPH,
    ids=[f"{type(e).__name__}-{getattr(e, 'response_status_code', '')}-{c}" for e, _, c in GRAPH],
)
def test_graph_error_has_one_meaning(error: Exception, kind: type[RekeyError], code: str) -> None:
    """Graph's errors for a write that isn't repeatable, by status and code, none of which is quoted at length."""
    with pytest.raises(RekeyError) as caught, graph_translated("addPassword", repeatable=False):
        raise error
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert CANARY not in f"{caught.value.message} {caught.value.what_to_do}"
    assert caught.value.__suppress_context__


def test_graph_says_when_to_come_again() -> None:
    """Retry-After is kept, whatever the header's letters."""
    for name in ("Retry-After", "retry-after"):
        error = _graph(429)
        error.response_headers = {name: "21"}
        with pytest.raises(NotYetError) as caught, graph_translated("x"):
            raise error
        assert caught.value.seconds == 21.0


def _answers(respond: Callable[[], web.Response]) -> Behaviour:
    async def behave(_server: Rogue, _request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0)
        return respond()

    return behave


PAGE = f"<html>Sign in {CANARY}</html>"
AZURE_DEVOPS: dict[str, tuple[Callable[[], web.Response], type[RekeyError], str]] = {
    "page-200": (lambda: web.Response(text=PAGE, content_type="text/html"), PermanentError, "unauthorized"),
    "page-203": (lambda: web.Response(status=203, text=PAGE), PermanentError, "unauthorized"),
    "redirect": (lambda: web.Response(status=302, headers={"Location": "/x"}), PermanentError, "unauthorized"),
    "401": (lambda: web.json_response({}, status=401), PermanentError, "unauthorized"),
    "403": (
        lambda: web.json_response({"message": CANARY, "typeKey": "Denied"}, status=403),
        PermanentError,
        "forbidden",
    ),
    "429": (lambda: web.Response(status=429, headers={"Retry-After": "8"}), NotYetError, "throttled"),
    "500": (lambda: web.Response(status=500, text=PAGE, content_type="text/html"), NotYetError, "service-unavailable"),
    "bad-json": (lambda: web.Response(text="{", content_type="application/json"), NotYetError, "malformed-answer"),
}


@pytest.mark.parametrize("name", AZURE_DEVOPS)
async def test_azure_devops_error_has_one_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A sign-in page is a refusal whatever its status, and nothing the service says is quoted."""
    respond, kind, code = AZURE_DEVOPS[name]
    async with rogue(tmp_path, monkeypatch, _answers(respond)) as server:
        origin = server.clients.settings.cloud.azure_devops
        with pytest.raises(RekeyError) as caught:
            await ServiceEndpoints(server.clients.azure_devops(), origin, "contoso", GRANT).named("p", "n")
        assert (type(caught.value), caught.value.code) == (kind, code)
        assert CANARY not in f"{caught.value.message} {caught.value.what_to_do}"
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "status"), [("{", 200), ("", 200), ("<html>", 200), ('{"value": 1}', 200), ("[]", 200), ("{}", 404)]
)
async def test_graph_answers_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, status: int
) -> None:
    """An answer that isn't an application is an error of Rekey's, not a crash."""

    def respond() -> web.Response:
        return web.Response(text=body, status=status, content_type="application/json")

    async with rogue(tmp_path, monkeypatch, _answers(respond)) as server:
        with pytest.raises(RekeyError):
            await EntraGraph(server.clients.graph()).application("aaaaaaaa-0000-4000-8000-000000000001")


@pytest.mark.parametrize("body", ["{", "<html>", ""])
async def test_vault_answers_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """An answer that isn't JSON is tried again where reading, and looked into where writing."""

    def respond() -> web.Response:
        return web.Response(text=body, content_type="application/json")

    async with rogue(tmp_path, monkeypatch, _answers(respond)) as server:
        vault = Vault(server.clients.vault(VAULT), VAULT)
        with pytest.raises(RekeyError) as read:
            await vault.current("s")
        with pytest.raises(RekeyError) as written:
            await vault.set("s", SecretValue(CANARY), tags={})
        assert isinstance(written.value, UnclearError), written.value
        assert CANARY not in f"{read.value.message} {written.value.message}"


def test_password_without_dates_is_not_guessed_at() -> None:
    """A list that lacks a key id or a date is taken for not yet complete."""
    with pytest.raises(NotYetError):
        _password(_incomplete())


def _incomplete() -> Any:
    return SimpleNamespace(key_id=None, end_date_time=None, start_date_time=None)
