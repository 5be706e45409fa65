"""What a secret's tags ask for: which credential, which consumers, how long, who is told."""

import calendar
from datetime import datetime, timedelta
from typing import Literal

import msgspec


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


class CredentialRef(msgspec.Struct, frozen=True):
    """Which credential: the kind's name and what it issues for (a client id, an ARM id)."""

    kind: str
    target: str


class ConsumerRef(msgspec.Struct, frozen=True):
    """One place that holds a copy: `uri` is `<kind>://...` in the normal form its consumer kind defines."""

    kind: str
    uri: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The parsed, validated, scope-checked tags of one managed secret.

    `by_age`: the issuer gives the credential no end, so that a version without an expiry date is judged by its age.
    """

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
    by_age: bool = False
