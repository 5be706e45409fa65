"""How a mail leaves: Azure Communication Services, one request per 50 recipients, safe to repeat."""

import itertools
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from azure.core.exceptions import AzureError

from rekey.model import Notice
from rekey.notices.identity import notice_id
from rekey.notices.mail_errors import translated
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
    """Sends notices by mail with the process's shared client; the client stays the caller's to close."""

    def __init__(self, client: "EmailClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings

    async def send(self, notice: Notice) -> Delivery:
        """Send `notice` to those of `notice.to` that settings allow; NotYetError, PermanentError.

        Repeating it is safe: each mail's Operation-Id follows from rotation, kind, key and recipients, and the
        service sends one mail per id. After an error some of several batches may have left: repeat the whole.
        """
        addresses = sorted(allowed(notice.to, self._settings), key=str.lower)
        mail = render(notice)
        operations = []
        for batch in itertools.batched(addresses, MOST_RECIPIENTS, strict=False):
            operation = notice_id(notice, batch)
            await self._send(operation, self._message(mail, batch))
            operations.append(operation)
        return Delivery(
            operations=tuple(operations),
            accepted=tuple(addresses),
            refused=refused(notice.to, self._settings),
        )

    async def _send(self, operation: UUID, message: dict[str, Any]) -> None:
        try:
            # polling=False: the answer 202 is all that is waited for. A poller asks for the status (the synchronous
            # client's does so in the background, asked or not), and those calls are limited as well.
            # retry_total=0: a durable timer waits out a limit of minutes, the SDK would do it inside the activity.
            await self._client.begin_send(message, operation_id=str(operation), polling=False, retry_total=0)
        except AzureError as error:
            raise translated(error) from None

    def _message(self, mail: Mail, batch: tuple[str, ...]) -> dict[str, Any]:
        return {
            "senderAddress": self._settings.mail_sender,
            "recipients": {"to": [{"address": address} for address in batch]},
            "content": {"subject": mail.subject, "html": mail.html, "plainText": mail.text},
            # Tracking would rewrite the mail and load a picture from elsewhere.
            "userEngagementTrackingDisabled": True,
        }
