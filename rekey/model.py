"""What crosses the steps of a rotation: ids, dates and policies, never a secret value.

Every type here goes through JSON in a durable store that people can read: encode with `encode`, decode with `decode`.
Times are aware UTC datetimes (RFC 3339 on the wire), durations are `Span`s.
"""

import calendar
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Span(msgspec.Struct, frozen=True):
    """A length of time: calendar months plus exact seconds (ISO 8601 durations have both)."""

    months: int = 0
    seconds: int = 0

    def after(self, moment: datetime) -> datetime:
        """Return `moment` plus this span; the 31st plus a month is the next month's last day."""
        month = moment.month - 1 + self.months
        year, month = moment.year + month // 12, month % 12 + 1
        day = min(moment.day, calendar.monthrange(year, month)[1])
        return moment.replace(year=year, month=month, day=day) + timedelta(seconds=self.seconds)


class Reason(StrEnum):
    """Why a rotation was asked for; only `event` and `schedule` are judged by what is left of the lifetime."""

    EVENT = "event"
    SCHEDULE = "schedule"
    MANUAL = "manual"
    LEAK = "leak"


class RotationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of `rotate_secret`, as a queue event, the operator API or the durable HTTP API gives it."""

    vault: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]\Z")]
    secret: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,127}\Z")]
    reason: Reason = Reason.MANUAL
    requested_by: Annotated[str, Meta(max_length=200)] = ""

    @classmethod
    def parse(cls, payload: object) -> "RotationRequest":
        """Return the request in `payload` (JSON types); ValueError names field, value and what was expected."""
        if not isinstance(payload, dict):
            raise ValueError(f"input: got {_shown(payload)}, expected an object with {', '.join(EXPECTED)}")  # noqa: TRY004
        for field, expected in EXPECTED.items():
            if field not in payload and field in {"vault", "secret"}:
                raise ValueError(f"{field}: missing, expected {expected}")
            try:
                if field in payload:
                    msgspec.convert(payload[field], cls.__annotations__[field])
            except msgspec.ValidationError:
                raise ValueError(f"{field}: got {_shown(payload[field])}, expected {expected}") from None
        for field in payload:
            if field not in EXPECTED:
                raise ValueError(f"{field}: unknown, expected {', '.join(EXPECTED)}")
        return msgspec.convert(payload, cls)


EXPECTED = {
    "vault": "a Key Vault name",
    "secret": "a secret's name: 1 to 127 letters, digits and hyphens",
    "reason": f"one of {', '.join(Reason)}",
    "requested_by": "at most 200 characters",
}


def _shown(value: object) -> str:
    return repr(value) if len(repr(value)) <= 100 else repr(value)[:100] + "..."


class CredentialRef(msgspec.Struct, frozen=True):
    """Which credential: the kind's name and what it issues for (a client id, an ARM id)."""

    kind: str
    target: str


class ConsumerRef(msgspec.Struct, frozen=True):
    """One place that holds a copy: `uri` is `<kind>://...` in the normal form its consumer kind defines."""

    kind: str
    uri: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The parsed, validated, scope-checked tags of one managed secret."""

    credential: CredentialRef
    consumers: tuple[ConsumerRef, ...] = ()
    lifetime: Span = Span(seconds=180 * 86400)
    lead: Span = Span(seconds=30 * 86400)
    grace: Span = Span(seconds=7 * 86400)
    owners: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    approval: bool = False
    adopt: bool = False
    disable_old: Literal["now", "at-retire"] = "now"
    window: str = ""
    readers: tuple[str, ...] = ()


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """What every step of one rotation is told.

    `old_version` is the Key Vault version that was current, `expires` its end date (None: it has none). The tagged
    ids are what its tags claim. Preflight adds `object_id`, the issuer's own id of what the credential belongs to, and
    `old_key_id`, the credential that the old version holds if that could be proved (None: it is left to expire).
    """

    id: str
    vault: str
    secret: str
    reason: Reason
    started: datetime
    requested_by: str = ""
    policy: Policy
    old_version: str
    expires: datetime | None = None
    tagged_key_id: str | None = None
    tagged_rotation_id: str | None = None
    object_id: str = ""
    old_key_id: str | None = None

    def knowing(self, facts: "Facts") -> "Rotation":
        """Return this rotation with what preflight found out."""
        return msgspec.structs.replace(self, object_id=facts.object_id, old_key_id=facts.old_key_id)

    def deadline(self) -> datetime:
        """Return until when a stuck rotation keeps trying after the switch: the old credential's end, or 7 days."""
        week = self.started + timedelta(days=7)
        return self.expires if self.expires and self.expires > self.started else week


class ConsumerTarget(msgspec.Struct, frozen=True):
    """One consumer after preflight: `object_id` is the service's own id of the object, which its lease is taken for."""

    kind: str
    uri: str
    object_id: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What preflight found: `longest` is the latest end date the tenant's policy allows (None: no limit known)."""

    object_id: str
    display_name: str
    owners: tuple[str, ...] = ()
    old_key_id: str | None = None
    longest: datetime | None = None
    consumers: tuple[ConsumerTarget, ...] = ()
    remarks: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The input of `read_policy`: who asks for what, and the ids of the rotation it would become."""

    request: RotationRequest
    rotation_id: str
    started: datetime


class BadPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Tags that can't be used: a sentence per bad tag, and who is to be told once for this version."""

    version: str
    errors: tuple[str, ...]
    owners: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What `read_policy` decided: the rotation to walk, or why there is none, or what is wrong with the tags."""

    rotation: Rotation | None = None
    not_due: str = ""
    bad: BadPolicy | None = None


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A new credential, without its value: `staged_version` is where the staging vault keeps it (None: nowhere)."""

    key_id: str
    expires: datetime
    staged_version: str | None = None


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The new Key Vault version."""

    version: str
    expires: datetime


class UseCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the old credential is still used: `remark` says what wasn't looked at, `used_by` who was seen."""

    checked: bool
    used_by: tuple[str, ...] = ()
    remark: str = ""


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """The key ids that were removed, and what was left alone on purpose."""

    removed: tuple[str, ...] = ()
    remark: str = ""


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What undoing came to: if the new version is out after all, nothing was undone and the walk goes on from there."""

    removed: tuple[str, ...] = ()
    published: Published | None = None


class ConsumerResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one consumer: how it was confirmed, or the failure."""

    uri: str
    confirmed_by: str = ""
    code: str = ""
    message: str = ""
    what_to_do: str = ""


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """The input of every step: the rotation and what earlier steps found out. Each step reads what it needs of it."""

    rotation: Rotation
    facts: Facts | None = None
    issued: Issued | None = None
    published: Published | None = None
    target: ConsumerTarget | None = None
    result: str = ""

    def but(self, **changes: Any) -> "Walk":
        """Return this walk with more known."""
        return msgspec.structs.replace(self, **changes)


# What an activity returns. It never throws: an exception's text would be kept in the durable store as it is.


class Ok(msgspec.Struct, frozen=True, tag="ok", tag_field="outcome"):
    """The step is done; `value` is the step's own result."""

    value: Any = None


class RetryAfter(msgspec.Struct, frozen=True, tag="retry-after", tag_field="outcome"):
    """Try again; `seconds` is what the service asked for, None leaves it to the backoff."""

    code: str
    message: str
    seconds: float | None = None


class Permanent(msgspec.Struct, frozen=True, tag="permanent", tag_field="outcome"):
    """Trying again won't help."""

    code: str
    message: str
    what_to_do: str = ""


class Unclear(msgspec.Struct, frozen=True, tag="unclear", tag_field="outcome"):
    """A write may have happened; the step looks before it repeats anything, after `seconds` if the service lags."""

    code: str
    message: str
    seconds: float | None = None


type Outcome = Ok | RetryAfter | Permanent | Unclear


class NoticeKind(StrEnum):
    """What people are told."""

    STARTING = "starting"
    SWITCHED = "switched"
    DONE = "done"
    FAILED = "failed"
    NEEDS_YOU = "needs-you"
    BAD_POLICY = "bad-policy"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell: facts only, the words are in `rekey/notices/templates`.

    `to` is resolved and filtered before it gets here. `key` makes two notices of one kind in one rotation different
    (for instance two failures); together with rotation and recipients it is the mail's identity. `remarks` is what the
    reader must know and nothing else says: what was not checked, what was left to expire.
    """

    kind: NoticeKind
    rotation_id: str
    vault: str
    secret: str
    to: tuple[str, ...]
    key: str = ""
    credential: CredentialRef | None = None
    application_name: str = ""
    reason: str = ""
    new_version: str = ""
    new_expires: datetime | None = None
    old_valid_until: datetime | None = None
    consumers: tuple[ConsumerResult, ...] = ()
    failed_step: str = ""
    code: str = ""
    message: str = ""
    what_to_do: str = ""
    remarks: tuple[str, ...] = ()


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """The input of `notify_owners`: a notice without recipients, and whom it concerns.

    `once` is a key under which it is told a single time ever; `keep` puts it into the outbox without trying again.
    """

    notice: Notice
    owners: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    application_owners: tuple[str, ...] = ()
    once: str = ""
    keep: bool = False
    has_record: bool = True

    def kept(self) -> "Telling":
        """Return this telling for the outbox."""
        return msgspec.structs.replace(self, keep=True)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a notice: accepted by the mail service for these, refused for those, or waiting in the outbox."""

    kind: NoticeKind
    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    undelivered: str = ""


def encode(value: Any) -> Any:
    """Return `value` as JSON types, as a step's input or output."""
    return msgspec.to_builtins(value)


def decode[T](payload: Any, kind: type[T]) -> T:
    """Return `payload` (JSON types) as `kind`; msgspec.ValidationError names the path of what is wrong."""
    return msgspec.convert(payload, kind)
