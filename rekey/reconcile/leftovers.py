"""Decides whether a credential that Rekey made may be removed without asking; reads nothing, touches nothing.

Removing a live credential is the worst that Rekey can do, so whatever is not proved is left alone and reported: only a
credential whose own record says that it never was published, that no version names, whose staged value is gone, that is
older than a day and was seen in an earlier night already, all by the issuer's own clock.
"""

from datetime import timedelta
from enum import StrEnum

import msgspec

OLD_ENOUGH = timedelta(days=1)
LATER_NIGHT = timedelta(hours=12)
"""Between the two sights: a check that is run by hand twice within an hour proves nothing."""


class Evidence(StrEnum):
    """What the record of the rotation that made it says."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    """Of another deployment."""
    ALIVE = "alive"
    """Open, and its instance walks it, or may do so again: it is suspended."""
    DEAD = "dead"
    """Open, and nothing will ever walk it again."""
    CLOSED = "closed"


ENDED = frozenset({Evidence.DEAD, Evidence.CLOSED})


class Verdict(StrEnum):
    """What is to become of it."""

    IN_USE = "in-use"
    OLD = "old-credential-valid"
    UNPROVED = "leftover-unproved"
    NOT_OWNED = "leftover-not-owned"
    WAIT = "leftover-seen"
    REMOVE = "leftover-removed"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a credential at its issuer.

    `published`: its record says so. `current`: some secret's newest version names it; `mentioned`: any version that
    could be read does. `contested`: its secret has an open rotation. `staged`: its value still is in the staging vault.
    `everywhere`: all vaults, and all versions of its secret, could be looked at. `age` and `watched` (since the first
    sight) are by the issuer's clock, None if that isn't known.
    """

    evidence: Evidence
    published: bool
    current: bool
    mentioned: bool
    contested: bool
    staged: bool
    everywhere: bool
    owned: bool
    age: timedelta | None
    watched: timedelta | None


def of_issued(known: Known) -> Verdict:
    """Return what is to become of a credential at its issuer."""
    if known.current or known.evidence is Evidence.ALIVE:
        return Verdict.IN_USE
    if known.evidence not in ENDED:
        return Verdict.UNPROVED
    if known.published or known.mentioned:
        return Verdict.IN_USE if known.contested else Verdict.OLD
    if not known.owned:
        return Verdict.NOT_OWNED
    if known.staged or not known.everywhere:
        return Verdict.WAIT
    return _in_time(known.age, known.watched)


def of_staged(evidence: Evidence, age: timedelta | None, watched: timedelta | None) -> Verdict:
    """Return what is to become of a staged value: only its own rotation ever reads it."""
    if evidence is Evidence.ALIVE:
        return Verdict.IN_USE
    if evidence not in ENDED:
        return Verdict.UNPROVED
    return _in_time(age, watched)


def _in_time(age: timedelta | None, watched: timedelta | None) -> Verdict:
    if age is None or watched is None or age < OLD_ENOUGH or watched < LATER_NIGHT:
        return Verdict.WAIT
    return Verdict.REMOVE
