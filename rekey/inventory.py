"""What a vault's listing says about each of its secrets: managed or not, due or not, what is wrong. Never a value.

Because the value isn't read here, nothing that a bad tag holds is repeated: people paste passwords into tags.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from rekey import due
from rekey.model import Policy
from rekey.policy import PolicyError, Untagged, read_policy
from rekey.settings import Settings

if TYPE_CHECKING:
    from rekey.vault import Listed


class Care(StrEnum):
    """Whether Rekey looks after a secret."""

    MANAGED = "managed"
    BAD_POLICY = "bad-policy"
    UNTAGGED = "untagged"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of an allowed vault, names in lower case.

    `due_from`: from when on it is to be rotated, None if it has no expiry or no policy; `why` says it in words.
    `bad_tags`: the names of the tags that can't be used.
    """

    vault: str
    secret: str
    care: Care
    enabled: bool
    created: datetime
    expires: datetime | None
    tags: Mapping[str, str]
    policy: Policy | None = None
    is_due: bool = False
    due_from: datetime | None = None
    why: str = ""
    bad_tags: tuple[str, ...] = ()


def judge(vault: str, listed: "Listed", settings: Settings, now: datetime) -> Item:
    """Return what a secret's newest version says of itself; a vault that settings don't allow is a ScopeError."""
    item = Item(
        vault=vault.lower(),
        secret=listed.name.lower(),
        care=Care.MANAGED,
        enabled=listed.enabled,
        created=listed.created,
        expires=listed.expires,
        tags=listed.tags,
    )
    try:
        return _managed(item, read_policy(vault, listed.tags, settings), now)
    except Untagged as untagged:
        return replace(item, care=Care.UNTAGGED, why=untagged.message)
    except PolicyError as error:
        bad = tuple(e.field for e in error.errors)
        return replace(item, care=Care.BAD_POLICY, bad_tags=bad, why=f"these tags can't be used: {', '.join(bad)}")


def _managed(item: Item, policy: Policy, now: datetime) -> Item:
    is_due, why = due.is_due(policy, item.expires, item.created, now)
    if not item.enabled:
        is_due, why = False, "its newest version is disabled"
    ends = due.end_of(policy, item.created, item.expires)
    begins = due.due_from(policy, item.created, ends) if ends else None
    return replace(item, policy=policy, is_due=is_due, due_from=begins, why=why)
