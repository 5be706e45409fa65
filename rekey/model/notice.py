"""What people are told: facts only, the words are in `rekey/notices/templates`."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from rekey.model.federation_news import FederationNews
from rekey.model.policy import CredentialRef
from rekey.model.rotation import ConsumerResult


class NoticeKind(StrEnum):
    """What people are told."""

    STARTING = "starting"
    SWITCHED = "switched"
    DONE = "done"
    FAILED = "failed"
    NEEDS_YOU = "needs-you"
    STILL_USED = "still-used"
    BAD_POLICY = "bad-policy"
    NOTHING_LEFT = "nothing-left"
    SWEEP = "sweep"
    RECONCILE = "reconcile"
    DIGEST = "digest"
    ALERT = "alert"
    CONNECTIONS = "connections"
    FEDERATION = "federation"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a digest: what about which secret, and what to do. `code` is kebab-case and groups the lines.

    `vault` and `secret` are empty where it is about neither; `subject` then names what it is about.
    """

    code: str
    message: str
    vault: str = ""
    secret: str = ""
    subject: str = ""
    what_to_do: str = ""


MOST_FINDINGS = 300
"""In one notice: it crosses the durable store, the mail service takes 10 MB, and nobody reads more in a mail."""


def cut(findings: Sequence[Finding], what_to_do: str) -> tuple[Finding, ...]:
    """Return the findings, those that are too many for one notice counted in a last one that says what to do."""
    left = len(findings) - MOST_FINDINGS
    if left <= 0:
        return tuple(findings)
    more = Finding(code="more", subject=f"{left} more", message="not listed here", what_to_do=what_to_do)
    return (*findings[:MOST_FINDINGS], more)


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What the same caller did again and again: who it was, when, how often, from where, by which operations."""

    severity: str
    first: datetime
    last: datetime
    times: int
    app_id: str = ""
    object_id: str = ""
    name: str = ""
    refused: int = 0
    addresses: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell: facts only, the words are in `rekey/notices/templates`.

    `to` is resolved and filtered before it gets here. `key` makes two notices of one kind in one rotation different
    (for instance two failures); together with rotation and recipients it is the mail's identity. `remarks` is what the
    reader must know and nothing else says: what was not checked, what was left to expire.

    `to_act`: it is for those who have to act by hand, alone: `consumers` has what they hold and nothing of others,
    `contacts` are the mail addresses of whom they tell that they have acted.

    A digest (sweep, reconcile, digest) is about no single rotation: `rotation_id` is the id of the run that made it,
    `vault` and `secret` are empty, `counts` says how many of what in words ("started": 12), `findings` has the lines.

    An alert is about one caller's `sighting`; `rotation_id` is its own id, `code` the rule that was hit. One that has
    none is about many in one vault, told in `findings`.

    What is told of a service connection that comes to need no secret is in `federation`; `rotation_id` is the
    federation's id, `vault` and `secret` are empty.
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
    to_act: bool = False
    contacts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    counts: dict[str, int] = {}
    sighting: Sighting | None = None
    federation: FederationNews | None = None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """The input of `notify_owners`: a notice without recipients, and whom it concerns.

    `third_parties` are those who have to act by hand: a notice for them is for nobody else.
    `once` is a key under which it is told a single time ever; `keep` puts it into the outbox without trying again;
    `digest` puts it there because it can wait for the next digest.
    """

    notice: Notice
    owners: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    application_owners: tuple[str, ...] = ()
    third_parties: tuple[str, ...] = ()
    once: str = ""
    keep: bool = False
    digest: bool = False
    has_record: bool = True

    def kept(self) -> "Telling":
        """Return this telling for the outbox."""
        return msgspec.structs.replace(self, keep=True)


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a notice: accepted by the mail service for these, refused for those, or waiting in the outbox.

    `undelivered` and `in_next_digest` are its id there; the latter waits as it was meant to.
    """

    kind: NoticeKind
    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    undelivered: str = ""
    in_next_digest: str = ""


class Sorting(msgspec.Struct, frozen=True):
    """The input of `sort_outbox`: whether to make digests of what waits, or only to look for those that are made."""

    fold: bool


class Parcel(msgspec.Struct, frozen=True):
    """The input of `deliver_mail`: a notice by its id in the outbox, and those it goes to now."""

    id: str
    to: tuple[str, ...]


class Sorted(msgspec.Struct, frozen=True):
    """What can be sent, in that order."""

    parcels: tuple[Parcel, ...] = ()


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a parcel; `again` are the parcels to send in its place, one for each recipient."""

    accepted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    again: tuple[Parcel, ...] = ()
