"""What the parts of a nightly check are told and what they return: counts and ids, their findings are in blobs."""

from datetime import datetime

import msgspec

from rekey.model.notice import Finding, Notice
from rekey.model.sweep import OfSweep


class Night(OfSweep, frozen=True, kw_only=True):
    """One run of the nightly check; `started` is the orchestration's time."""

    started: datetime


class Part(Night, frozen=True, kw_only=True):
    """The input of one part: a vault, or the number of a group of an issuer's targets.

    `all_seen`: every part before this one did its work, so that what none of them saw isn't there.
    """

    vault: str = ""
    group: int = 0
    all_seen: bool = False


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look: the vaults, and how many groups of targets there are; `rotates`: the app has anything of those."""

    vaults: tuple[str, ...]
    groups: int
    rotates: bool = True


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What a part came to, in numbers; `more`: it did as much as one activity may, and is to be called again."""

    findings: int = 0
    counts: dict[str, int] = {}
    more: bool = False


class Summing(Night, frozen=True, kw_only=True):
    """The input of the last part: what was counted, and which parts failed."""

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    failed: tuple[Finding, ...] = ()


class Summed(msgspec.Struct, frozen=True, kw_only=True):
    """The night in one notice, None if there is nothing to say; `findings` counts what a mail may not hold."""

    findings: int
    notice: Notice | None = None
