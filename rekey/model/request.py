"""What somebody asks for: the input of `rotate_secret`, checked field by field."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from rekey.model import asking


class Reason(StrEnum):
    """Why a rotation was asked for; only `event` and `schedule` are judged by what is left of the lifetime."""

    EVENT = "event"
    SCHEDULE = "schedule"
    MANUAL = "manual"
    LEAK = "leak"


JUDGED = frozenset({Reason.EVENT, Reason.SCHEDULE})
"""Reasons that are a hint, never an order: what is left of the lifetime decides."""

EXPECTED = {
    "vault": "a Key Vault name",
    "secret": "a secret's name: 1 to 127 letters, digits and hyphens",
    "reason": f"one of {', '.join(Reason)}",
    "requested_by": "at most 200 characters",
    "digest": "true or false",
}


class RotationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of `rotate_secret`, as a queue event, the operator API or the durable HTTP API gives it.

    `digest`: what merely goes as planned is told together with other rotations' news instead of in mails of its own.
    """

    vault: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]\Z")]
    secret: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,127}\Z")]
    reason: Reason = Reason.MANUAL
    requested_by: Annotated[str, Meta(max_length=200)] = ""
    digest: bool = False

    @classmethod
    def parse(cls, payload: object) -> "RotationRequest":
        """Return the request in `payload` (JSON types); ValueError names field, value and what was expected."""
        return asking.read(payload, cls, EXPECTED, {"vault", "secret"})


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The input of `read_policy`: who asks for what, and the ids of the rotation it would become."""

    request: RotationRequest
    rotation_id: str
    started: datetime


class Alone(msgspec.Struct, frozen=True):
    """The input of `start_alone`: an orchestrator that has one instance, named like itself."""

    orchestrator: str
