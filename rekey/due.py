"""Judges when a version is due for rotation and how long its predecessor stays valid; reads no clock.

Key Vault's near-expiry event fires 30 days before the end, sharp, and may never fire again: what is left is judged with
a day to spare for clocks. A short-lived version gets its event the moment it is stored: lead and spare day are held
to a third of the version's own lifetime each, so that a version that was just made is never due.
"""

from datetime import datetime, timedelta

from rekey.model import Policy, Span

_CLOCKS = timedelta(days=1)


def effective_lead(policy: Policy, created: datetime, expires: datetime) -> timedelta:
    """Return how long before `expires` a version made at `created` is rotated: the policy's lead, at most a third."""
    lead = expires - _before(expires, policy.lead)
    return min(lead, max((expires - created) / 3, timedelta()))


def due_from(policy: Policy, created: datetime, expires: datetime) -> datetime:
    """Return from when on a version made at `created` is to be rotated."""
    spare = min(_CLOCKS, max((expires - created) / 3, timedelta()))
    return expires - effective_lead(policy, created, expires) - spare


def is_due(policy: Policy, expires: datetime | None, created: datetime, now: datetime) -> tuple[bool, str]:
    """Tell whether a version is to be rotated now, and why or why not in words. All times are aware UTC."""
    if expires is None:
        return False, "has no expiry date: start by hand once"
    begins = due_from(policy, created, expires)
    if now >= begins:
        return True, f"{_ends(expires, now)}, due since {begins:%Y-%m-%d %H:%M} UTC"
    return False, f"{_ends(expires, now)}, due from {begins:%Y-%m-%d %H:%M} UTC"


def new_end(policy: Policy, now: datetime, longest: datetime | None) -> datetime:
    """Return the end of a credential made now: the policy's lifetime, at most what the issuer allows; whole seconds."""
    wanted = policy.lifetime.after(now).replace(microsecond=0)
    return min(wanted, longest) if longest else wanted


def grace_until(policy: Policy, now: datetime, old_expires: datetime | None) -> datetime:
    """Return until when the old credential is left alone: the policy's grace, at most what is left of it."""
    wanted = policy.grace.after(now)
    return wanted if old_expires is None else max(now, min(wanted, old_expires))


def _before(moment: datetime, span: Span) -> datetime:
    """Return `moment` less a span, whose months are counted backwards from there."""
    return Span(months=-span.months, seconds=-span.seconds).after(moment)


def _ends(expires: datetime, now: datetime) -> str:
    return f"{'expires' if expires > now else 'expired'} {expires:%Y-%m-%d %H:%M} UTC"
