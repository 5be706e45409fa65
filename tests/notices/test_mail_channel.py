"""How mail leaves: the unmodified SDK, one request a mail, the same id each time, errors that quote nothing."""

import uuid
from datetime import UTC, datetime

import pytest
from aiohttp import web
from azure.communication.email.aio import EmailClient
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.storage.blob.aio import ContainerClient
from msgspec.structs import replace

from local.preview_notices import samples
from rekey.errors import NotYetError, PermanentError
from rekey.model import NoticeKind
from rekey.nightly_settings import Limit
from rekey.notices.allowance import Allowance
from rekey.notices.identity import notice_id
from rekey.notices.mail_channel import MailChannel
from rekey.notices.mail_errors import MAIL_REFUSED, THIS_MAIL_REFUSED, translated
from rekey.settings import Settings
from tests.azure.contracts import needs_contracts, validate_request
from tests.notices.conftest import MailService

NOTICE = samples()[NoticeKind.SWITCHED]
SPEC = "acs-email/specification/communication/data-plane/Email/stable/2025-09-01/CommunicationServicesEmail.json"


def _refusal(status: int, code: str, **headers: str) -> web.Response:
    error = {"error": {"code": code, "message": "the subject was: [Rekey] switched CANARY"}}
    return web.json_response(error, status=status, headers=headers)


@pytest.fixture
def channel(mail_client: EmailClient, settings: Settings) -> MailChannel:
    """Return the channel on the recording service."""
    return MailChannel(mail_client, settings)


async def test_one_mail_is_one_request(channel: MailChannel, mail_service: MailService) -> None:
    """Sending makes a single POST with an Operation-Id: no status is asked for, nothing is repeated."""
    delivery = await channel.send(NOTICE)
    (request,) = mail_service.requests
    assert (request.method, request.path) == ("POST", "/emails:send")
    assert request.headers["operation-id"] == str(delivery.operations[0])
    assert request.body["recipients"] == {"to": [{"address": "dana@contoso.example"}]}
    assert request.body["senderAddress"] == "rekey@sender.example"
    assert request.body["content"]["subject"] == "[Rekey] switched: kv-shop/shop-deploy has a new password"
    assert "28 November 2026" in request.body["content"]["plainText"]
    assert "28 November 2026" in request.body["content"]["html"]
    assert request.body["userEngagementTrackingDisabled"] is True


async def test_accepted_is_accepted(channel: MailChannel, mail_service: MailService) -> None:
    """A 202 that doesn't say where its status is has taken the mail all the same."""
    mail_service.answers = [web.Response(status=202)]
    delivery = await channel.send(NOTICE)
    assert delivery.accepted == NOTICE.to
    assert len(mail_service.requests) == 1


@needs_contracts
async def test_the_request_is_what_the_specification_asks_for(channel: MailChannel, mail_service: MailService) -> None:
    """The body fits the published specification of the service."""
    await channel.send(NOTICE)
    (request,) = mail_service.requests
    validate_request(SPEC, "POST /emails:send", request.body, request.query)


async def test_a_repeated_notice_is_the_same_operation(channel: MailChannel, mail_service: MailService) -> None:
    """A retry, in whatever order and spelling the recipients come, can't become a second mail."""
    first = await channel.send(replace(NOTICE, to=("b@contoso.example", "A@contoso.example")))
    again = await channel.send(replace(NOTICE, to=("a@contoso.example", "B@contoso.example", "b@contoso.example")))
    assert first.operations == again.operations
    assert len({r.headers["operation-id"] for r in mail_service.requests}) == 1


def test_the_id_never_changes() -> None:
    """An id of an earlier release is still the id of that notice: a retry after an upgrade is recognised."""
    assert notice_id(NOTICE, NOTICE.to) == uuid.UUID("8885a6b2-bf97-57de-8c6a-81da50d575ea")


@pytest.mark.parametrize(
    "other",
    [
        replace(NOTICE, key="second"),
        replace(NOTICE, kind=NoticeKind.DONE),
        replace(NOTICE, rotation_id="another"),
        replace(NOTICE, to=("a@contoso.example",)),
    ],
)
def test_another_notice_is_another_operation(other: object) -> None:
    """Kind, key, rotation and recipients each make a mail of its own."""
    assert isinstance(other, type(NOTICE))
    assert notice_id(other, other.to) != notice_id(NOTICE, NOTICE.to)


async def test_mail_goes_only_where_settings_allow(channel: MailChannel, mail_service: MailService) -> None:
    """The channel filters by itself, whoever made the notice, and says whom it left out."""
    delivery = await channel.send(
        replace(NOTICE, to=("x@evil.example", "dana@contoso.example", "ops@operators.example"))
    )
    assert delivery.refused == ("x@evil.example",)
    assert delivery.accepted == ("dana@contoso.example", "ops@operators.example")
    (request,) = mail_service.requests
    assert "evil" not in str(request.body)


async def test_nobody_allowed_is_no_request(channel: MailChannel, mail_service: MailService) -> None:
    """A notice for strangers only opens no connection and says so."""
    delivery = await channel.send(replace(NOTICE, to=("x@evil.example",)))
    assert (delivery.operations, delivery.accepted) == ((), ())
    assert mail_service.requests == []


async def test_more_than_fifty_recipients_are_several_mails(channel: MailChannel, mail_service: MailService) -> None:
    """The service takes 50 recipients a mail; each batch keeps its id when the notice is sent again."""
    people = tuple(f"p{number:03}@contoso.example" for number in range(101))
    first = await channel.send(replace(NOTICE, to=people))
    sizes = [len(request.body["recipients"]["to"]) for request in mail_service.requests]
    again = await channel.send(replace(NOTICE, to=people[::-1]))
    assert sizes == [50, 50, 1]
    assert first.operations == again.operations
    assert len(set(first.operations)) == 3


async def test_an_operation_the_service_has_already_is_a_mail_that_was_sent(
    channel: MailChannel, mail_service: MailService
) -> None:
    """A conflict over the id says that the mail was taken before: there is nothing to repeat."""
    mail_service.answers = [_refusal(409, "Conflict")]
    assert (await channel.send(NOTICE)).accepted == NOTICE.to
    assert len(mail_service.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (400, "BadRequest", THIS_MAIL_REFUSED),
        (413, "RequestEntityTooLarge", THIS_MAIL_REFUSED),
        (400, "InvalidSenderUserName", MAIL_REFUSED),
        (404, "DomainNotLinked", MAIL_REFUSED),
        (403, "Forbidden", MAIL_REFUSED),
    ],
)
async def test_one_bad_mail_is_told_from_a_bad_set_up(
    status: int, code: str, told: str, channel: MailChannel, mail_service: MailService
) -> None:
    """What is wrong with one mail is no reason to hold back the others; what is wrong with the sender is."""
    mail_service.answers = [_refusal(status, code)]
    with pytest.raises(PermanentError) as caught:
        await channel.send(NOTICE)
    assert caught.value.code == told


async def test_mails_are_counted_before_they_go(
    mail_client: EmailClient, mail_service: MailService, settings: Settings, container: ContainerClient
) -> None:
    """Beyond the allowance nothing is asked of the service; what it didn't take leaves room for another."""
    channel = MailChannel(mail_client, settings, Allowance(container, [Limit(1, 3600)]))
    mail_service.answers = [_refusal(503, "Busy")]
    with pytest.raises(NotYetError, match="503"):
        await channel.send(NOTICE)
    assert (await channel.send(NOTICE)).accepted == NOTICE.to
    with pytest.raises(NotYetError) as caught:
        await channel.send(replace(NOTICE, key="second"))
    assert caught.value.code == "mail-limit"
    assert caught.value.seconds
    assert len(mail_service.requests) == 2


@pytest.mark.parametrize("status", [401, 408, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again_later(status: int, channel: MailChannel, mail_service: MailService) -> None:
    """Limits, stray 401s and outages are NotYetError after one request, with the seconds the service asked for."""
    mail_service.answers = [_refusal(status, "Busy", **{"Retry-After": "37"})]
    with pytest.raises(NotYetError) as caught:
        await channel.send(NOTICE)
    assert caught.value.seconds == 37
    assert len(mail_service.requests) == 1
    _assert_quotes_nothing(caught.value)


@pytest.mark.parametrize("status", [400, 403, 404, 413])
async def test_what_stays_wrong_says_what_to_change(
    status: int, channel: MailChannel, mail_service: MailService
) -> None:
    """A refusal is PermanentError with the service's code and a next action, and none of the mail's content."""
    mail_service.answers = [_refusal(status, "DomainNotLinked")]
    with pytest.raises(PermanentError, match=rf"refused \({status}, DomainNotLinked\)") as caught:
        await channel.send(NOTICE)
    assert caught.value.code == "mail-refused"
    assert caught.value.what_to_do
    _assert_quotes_nothing(caught.value)


async def test_a_code_that_isnt_a_name_is_not_quoted(channel: MailChannel, mail_service: MailService) -> None:
    """A service code is shown only if it can't be anything but a name."""
    mail_service.answers = [_refusal(400, "CANARY <b>for</b> dana@contoso.example")]
    with pytest.raises(PermanentError) as caught:
        await channel.send(NOTICE)
    assert caught.value.message == "mail: refused (400)"


async def test_a_lost_connection_is_tried_again_later(channel: MailChannel, mail_service: MailService) -> None:
    """A reset leaves open whether the mail was taken: the id makes the repeat safe, so it is NotYetError."""
    mail_service.answers = [None]
    with pytest.raises(NotYetError) as caught:
        await channel.send(NOTICE)
    assert caught.value.code == "mail-unreachable"
    _assert_quotes_nothing(caught.value)


def test_a_sign_in_that_fails_is_tried_again_later() -> None:
    """No token, no answer from the mail service: nothing is known to be wrong with the mail."""
    for error in (ClientAuthenticationError("CANARY"), ServiceRequestError("CANARY")):
        found = translated(error)
        assert isinstance(found, NotYetError)
        assert "CANARY" not in found.message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("Sat, 21 Nov 2026 04:01:00 GMT", 60),
        ("Sat, 21 Nov 2026 03:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
async def test_retry_after_is_read_in_both_forms(header: str, seconds: float | None) -> None:
    """Retry-After is seconds or a date; a past date is now, nonsense is left to the backoff."""

    class _Answer:
        status_code = 429
        headers = {"Retry-After": header}  # noqa: RUF012

    error = ServiceRequestError("throttled")
    error.response = _Answer()  # type: ignore[attr-defined]
    found = translated(error, datetime(2026, 11, 21, 4, 0, tzinfo=UTC))
    assert isinstance(found, NotYetError)
    assert found.seconds == seconds


def _assert_quotes_nothing(error: NotYetError | PermanentError) -> None:
    told = f"{error} {error.message} {error.what_to_do} {error.__cause__}"
    assert "CANARY" not in told
    assert "shop-deploy" not in told
    assert "contoso" not in told
    assert error.__suppress_context__
