"""What the steps of a rotation find out and hand on: ids and dates, never a value."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from rekey.model.decision import Refusal
from rekey.model.policy import Policy
from rekey.model.request import Reason


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """What every step of one rotation is told.

    `old_version` is the Key Vault version that was current, `expires` its end date (None: it has none). The tagged
    ids are what its tags claim. Preflight adds `object_id`, the issuer's own id of what the credential belongs to,
    `old_key_id`, the credential that the old version holds if that could be proved (None: it is left alone), and
    `next_key_id`, the one that the new credential takes the place of at an issuer with a fixed number of them.
    """

    id: str
    vault: str
    secret: str
    reason: Reason
    started: datetime
    requested_by: str = ""
    digest: bool = False
    policy: Policy
    old_version: str
    expires: datetime | None = None
    tagged_key_id: str | None = None
    tagged_rotation_id: str | None = None
    object_id: str = ""
    old_key_id: str | None = None
    next_key_id: str = ""

    def knowing(self, facts: "Facts") -> "Rotation":
        """Return this rotation with what preflight found out."""
        return msgspec.structs.replace(
            self, object_id=facts.object_id, old_key_id=facts.old_key_id, next_key_id=facts.next_key_id
        )

    def gates(self) -> tuple[str, ...]:
        """Return the tags that ask this rotation to wait for somebody's consent or a time; a leak waits for nothing."""
        if self.reason == Reason.LEAK:
            return ()
        asked = (("rekey-approval", self.policy.approval), ("rekey-window", self.policy.window))
        return tuple(tag for tag, wanted in asked if wanted)

    def deadline(self) -> datetime:
        """Return until when a stuck rotation keeps trying after the switch: the old credential's end, or 7 days."""
        week = self.started + timedelta(days=7)
        return self.expires if self.expires and self.expires > self.started else week


NOTHING_LEFT = "nothing-left"
"""How a rotation ends whose consumers all need no key any more."""


class When(StrEnum):
    """When a consumer gets its turn."""

    WITH_OTHERS = "with-others"
    AFTER_OTHERS = "after-others"
    """It tries out what other consumers hold, so that they have to be confirmed first."""
    BY_HAND = "by-hand"
    """Somebody outside has to act: told at the switch, done once that is acknowledged."""


class ConsumerTarget(msgspec.Struct, frozen=True):
    """One consumer after preflight: `object_id` is the service's own id of the object, which its lease is taken for.

    `third_parties` are the mail addresses of those who have to act by hand: they are told of this consumer alone.
    `keyless` says why it needs no key any more, "" if it needs one.
    """

    kind: str
    uri: str
    object_id: str
    when: When = When.WITH_OTHERS
    third_parties: tuple[str, ...] = ()
    keyless: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What preflight found: `longest` is the latest end date the tenant's policy allows (None: no limit known).

    `left_alone` says why the old credential will not be retired ("" if it will). The others are what `Rotation` says.
    """

    object_id: str
    display_name: str
    owners: tuple[str, ...] = ()
    old_key_id: str | None = None
    next_key_id: str = ""
    left_alone: str = ""
    longest: datetime | None = None
    consumers: tuple[ConsumerTarget, ...] = ()
    remarks: tuple[str, ...] = ()

    def by_hand(self) -> tuple[ConsumerTarget, ...]:
        """Return the consumers for which somebody has to act."""
        return tuple(target for target in self.consumers if target.when == When.BY_HAND)

    def keyless(self) -> tuple[ConsumerTarget, ...]:
        """Return the consumers that need no key any more."""
        return tuple(target for target in self.consumers if target.keyless)

    def nothing_left(self) -> bool:
        """Tell whether nobody who is known needs the credential any more; a secret without consumers has readers."""
        return bool(self.consumers) and len(self.keyless()) == len(self.consumers)


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
    """Whether the old credential is still used: `remark` says what wasn't looked at, `used_by` who was seen, in words.

    `last` is the last use among theirs; `refused` are readers on the record that were refused the old version.
    """

    checked: bool
    used_by: tuple[str, ...] = ()
    last: datetime | None = None
    refused: tuple[Refusal, ...] = ()
    remark: str = ""


class Retired(msgspec.Struct, frozen=True, kw_only=True):
    """The key ids that were removed, and what was left alone on purpose.

    `look_again`: there was more than one attempt to generate, and the issuer's lists lag behind its writes.
    """

    removed: tuple[str, ...] = ()
    remark: str = ""
    look_again: bool = False


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What undoing came to: if the new version is out after all, nothing was undone and the walk goes on from there.

    `look_again`: there was more than one attempt to generate, and the issuer's lists lag behind its writes.
    """

    removed: tuple[str, ...] = ()
    published: Published | None = None
    look_again: bool = False


class ConsumerResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one consumer: how it was confirmed, or the failure, or that somebody has to act (`by_hand`).

    `keyless` says why it was left as it is.
    """

    uri: str
    by_hand: bool = False
    confirmed_by: str = ""
    keyless: str = ""
    code: str = ""
    message: str = ""
    what_to_do: str = ""


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """The input of every step: the rotation and what earlier steps found out. Each step reads what it needs of it.

    `since` is the switch, later the last use that is known: what comes after it counts as use of the old credential.
    `until` is the end of the grace, for steps in the midst of it.
    """

    rotation: Rotation
    facts: Facts | None = None
    issued: Issued | None = None
    published: Published | None = None
    target: ConsumerTarget | None = None
    since: datetime | None = None
    until: datetime | None = None
    result: str = ""

    def but(self, **changes: Any) -> "Walk":
        """Return this walk with more known."""
        return msgspec.structs.replace(self, **changes)
