"""What crosses the steps of a rotation: ids, dates and policies, never a secret value.

Every type here goes through JSON in a durable store that people can read: encode with `encode`, decode with `decode`.
Times are aware UTC datetimes (RFC 3339 on the wire), durations are `Span`s.
"""

from rekey.model.decision import NOT_ACKNOWLEDGED, Decided, Decision, DecisionKind, Refusal, spoken
from rekey.model.notice import Delivered, Finding, Notice, NoticeKind, Parcel, Sorted, Sorting, Telling, Told
from rekey.model.outcome import Ok, Outcome, Permanent, RetryAfter, Unclear
from rekey.model.policy import ConsumerRef, CredentialRef, Policy, Span
from rekey.model.request import EXPECTED, Question, Reason, RotationRequest
from rekey.model.rotation import (
    NOTHING_LEFT,
    BadPolicy,
    ConsumerResult,
    ConsumerTarget,
    Facts,
    Issued,
    Published,
    Reading,
    Retired,
    Rotation,
    Undone,
    UseCheck,
    Walk,
    When,
)
from rekey.model.wire import decode, encode

__all__ = [
    "EXPECTED",
    "NOTHING_LEFT",
    "NOT_ACKNOWLEDGED",
    "BadPolicy",
    "ConsumerRef",
    "ConsumerResult",
    "ConsumerTarget",
    "CredentialRef",
    "Decided",
    "Decision",
    "DecisionKind",
    "Delivered",
    "Facts",
    "Finding",
    "Issued",
    "Notice",
    "NoticeKind",
    "Ok",
    "Outcome",
    "Parcel",
    "Permanent",
    "Policy",
    "Published",
    "Question",
    "Reading",
    "Reason",
    "Refusal",
    "Retired",
    "RetryAfter",
    "Rotation",
    "RotationRequest",
    "Sorted",
    "Sorting",
    "Span",
    "Telling",
    "Told",
    "Unclear",
    "Undone",
    "UseCheck",
    "Walk",
    "When",
    "decode",
    "encode",
    "spoken",
]
