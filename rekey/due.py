"""Judges when a version is due for rotation and how long its predecessor stays valid; reads no clock.

Key Vault's near-expiry event fires 30 days before the end, sharp, and may never fire again: what is left is judged with
a day to spare for clocks. A short-lived version gets its event the moment it is stored: lead and spare day are held
to a third of the version's own lifetime each, so that a version that was just made is never due.
"""

from datetime import datetime, timedelta

from rekey.model import Policy, Span

_CLOCKS = timedelta(days=1)


def end_of(policy: Policy, created: datetime, expires: datetime | None) -> datetime | None:
    """Return when a version made at `created` ends: by its age, if it doesn't say so and its policy allows that."""
    return policy.lifetime.after(created) if expires is None and policy.by_age else expires


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
    ends = end_of(policy, created, expires)
    if ends is None:
        return False, "has no expiry date: start by hand once"
    begins = due_from(policy, created, ends)
    said = _ends(ends, now) if expires else f"has no expiry date, made {created:%Y-%m-%d %H:%M} UTC"
    if now >= begins:
        return True, f"{said}, due since {begins:%Y-%m-%d %H:%M} UTC"
    return False, f"{said}, due from {begins:%Y-%m-%d %H:%M} UTC"


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
