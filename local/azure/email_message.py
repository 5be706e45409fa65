"""Knows what a mail handed to Communication Services has to look like, and what is kept of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

MAXIMUM_RECIPIENTS = 50
MAXIMUM_BYTES = 10 * 1024 * 1024
_ADDRESS = r"^[^@\s<>\r\n]+@[^@\s<>\r\n]+\.[^@\s<>\r\n]+$"
_ONE_LINE = r"^[^\r\n]*$"


class Address(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A recipient."""

    address: Annotated[str, msgspec.Meta(pattern=_ADDRESS)]
    display_name: str | None = None


class Content(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Subject and body; one of the two bodies has to be there."""

    subject: Annotated[str, msgspec.Meta(min_length=1, pattern=_ONE_LINE)]
    plain_text: str | None = None
    html: str | None = None


class Recipients(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Who gets the mail; `to` may not be empty."""

    to: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1)]
    cc: tuple[Address, ...] | None = ()
    bcc: tuple[Address, ...] | None = ()

    def addresses(self) -> dict[str, list[str]]:
        """Return the addresses by field."""
        fields = {"to": self.to, "cc": self.cc or (), "bcc": self.bcc or ()}
        return {name: [one.address for one in some] for name, some in fields.items()}


class Attachment(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An attachment."""

    name: str
    content_type: str
    content_in_base64: str
    content_id: str | None = None


class Message(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body of `emails:send`, 2023-03-31 to 2025-09-01."""

    sender_address: Annotated[str, msgspec.Meta(pattern=_ADDRESS)]
    content: Content
    recipients: Recipients
    headers: dict[str, str] | None = None
    attachments: tuple[Attachment, ...] | None = None
    reply_to: tuple[Address, ...] | None = None
    user_engagement_tracking_disabled: bool | None = None

    def problem(self) -> str | None:
        """Return which property is wrong although its type is right."""
        if not (self.content.plain_text or self.content.html):
            return "content"
        if sum(map(len, self.recipients.addresses().values())) > MAXIMUM_RECIPIENTS:
            return "recipients"
        return None


@dataclass
class Mail:
    """A mail that was accepted; `duplicates` counts sends of the same operation id that came after it."""

    resource: str
    operation_id: str
    message: Message
    at: datetime
    caller: str
    duplicates: int = 0

    def told(self) -> dict[str, Any]:
        """Return the mail as `/_sim/outbox` shows it."""
        content = self.message.content
        return {
            "operation_id": self.operation_id,
            "resource": self.resource,
            "at": self.at.isoformat(),
            "caller": self.caller,
            "sender": self.message.sender_address,
            **self.message.recipients.addresses(),
            "subject": content.subject,
            "text": content.plain_text,
            "html": content.html,
            "duplicates": self.duplicates,
        }

    def status(self, now: datetime, takes: timedelta) -> str:
        """Return how far the sending has come."""
        return "Succeeded" if now >= self.at + takes else "Running"


class DomainSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A linked domain; the limits of one that Azure manages are lower."""

    managed: bool = False


class ResourceSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Communication Services resource: who may send, from which addresses."""

    domains: dict[str, DomainSeed] = msgspec.field(default_factory=dict)
    senders: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()


@dataclass
class Resource:
    """A Communication Services resource; names of senders and domains in lower case, callers by object id."""

    name: str
    domains: dict[str, DomainSeed] = field(default_factory=dict)
    senders: set[str] = field(default_factory=set)
    callers: set[str] = field(default_factory=set)

    def managed(self) -> bool:
        """Tell whether only a domain that Azure manages is linked."""
        return bool(self.domains) and all(domain.managed for domain in self.domains.values())
