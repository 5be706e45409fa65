"""How a mail leaves: Azure Communication Services, one request per 50 recipients, safe to repeat."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from azure.core.exceptions import AzureError

from rekey.errors import RekeyError
from rekey.model import Notice
from rekey.notices.allowance import Allowance
from rekey.notices.identity import notice_id
from rekey.notices.mail_errors import taken_already, translated
from rekey.notices.recipients import allowed, refused
from rekey.notices.render import Mail, render
from rekey.settings import Settings

if TYPE_CHECKING:
    from azure.communication.email.aio import EmailClient

MOST_RECIPIENTS = 50
"""Of one mail: https://learn.microsoft.com/azure/communication-services/concepts/service-limits#email."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What the service accepted (which isn't yet: what arrived) and whom settings don't allow mail to.

    `operations` are the ids under which the service can be asked. Nobody allowed: no operation, no request made.
    """

    operations: tuple[UUID, ...] = ()
    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class MailChannel:
    """Sends notices by mail with the process's shared client; the client stays the caller's to close.

    Without an `allowance` nobody counts, and the service's own limits are met.
    """

    def __init__(self, client: "EmailClient", settings: Settings, allowance: Allowance | None = None) -> None:
        self._client = client
        self._settings = settings
        self._allowance = allowance

    async def send(self, notice: Notice) -> Delivery:
        """Send `notice` to those of `notice.to` that settings allow; NotYetError, PermanentError.

        Repeating it is safe: each mail's Operation-Id follows from rotation, kind, key and recipients, and the
        service sends one mail per id. After an error some of several batches may have left: repeat the whole.
        """
        addresses = sorted(allowed(notice.to, self._settings), key=str.lower)
        batches = list(itertools.batched(addresses, MOST_RECIPIENTS, strict=False))
        operations = tuple(notice_id(notice, batch) for batch in batches)
        mail = render(notice)
        async with self._counted(len(batches)):
            for operation, batch in zip(operations, batches, strict=True):
                await self._send(operation, self._message(mail, batch))
        return Delivery(
            operations=operations,
            accepted=tuple(addresses),
            refused=refused(notice.to, self._settings),
        )

    @contextlib.asynccontextmanager
    async def _counted(self, mails: int) -> AsyncIterator[None]:
        """Count mails while they are sent; those that were not taken leave room for others."""
        if self._allowance is None or not mails:
            yield
            return
        stamp = await self._allowance.take(mails)
        try:
            yield
        except RekeyError:
            # What comes after an outage must not wait for what wasn't sent in it; a count too high does no harm.
            with contextlib.suppress(RekeyError):
                await self._allowance.give_back(mails, stamp)
            raise

    async def _send(self, operation: UUID, message: dict[str, Any]) -> None:
        try:
            # polling=False: the answer 202 is all that is waited for. A poller asks for the status (the synchronous
            # client's does so in the background, asked or not), and those calls are limited as well.
            # retry_total=0: a durable timer waits out a limit of minutes, the SDK would do it inside the activity.
            await self._client.begin_send(message, operation_id=str(operation), polling=False, retry_total=0)
        except AzureError as error:
            if taken_already(error):
                return
            raise translated(error) from None

    def _message(self, mail: Mail, batch: tuple[str, ...]) -> dict[str, Any]:
        return {
            "senderAddress": self._settings.mail_sender,
            "recipients": {"to": [{"address": address} for address in batch]},
            "content": {"subject": mail.subject, "html": mail.html, "plainText": mail.text},
            # Tracking would rewrite the mail and load a picture from elsewhere.
            "userEngagementTrackingDisabled": True,
        }
