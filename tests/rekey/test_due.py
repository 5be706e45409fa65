"""When a version is due: at its lead and a day for clocks, never the moment it was made."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey import spans
from rekey.due import effective_lead, grace_until, is_due
from rekey.model import CredentialRef, Policy, Span

NOW = datetime(2030, 3, 31, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Policy(credential=CredentialRef("toy", "a"))


def policy(**changes: str) -> Policy:
    """Return the default policy with some durations changed, written as in tags."""
    return msgspec.structs.replace(POLICY, **{name: spans.parse(text) for name, text in changes.items()})


def test_an_event_at_thirty_days_sharp_is_due_whatever_the_clocks() -> None:
    """The near-expiry event may come once only: a few minutes more or less don't lose it."""
    created = NOW - 150 * DAY
    for skew in (-10, 0, 10):
        due, why = is_due(POLICY, NOW + 30 * DAY + timedelta(minutes=skew), created, NOW)
        assert due
        assert why.startswith("expires 2030-04-30 1")


def test_more_left_than_lead_and_a_day_is_not_due() -> None:
    """The reason says when it ends and from when it is due."""
    due, why = is_due(POLICY, NOW + 31 * DAY + HOUR, NOW - 150 * DAY, NOW)
    assert not due
    assert why == "expires 2030-05-01 13:00 UTC, due from 2030-03-31 13:00 UTC"


def test_an_expired_version_is_due() -> None:
    """What nobody rotated in time is rotated late, also if its dates make no sense."""
    assert is_due(POLICY, NOW - DAY, NOW - 100 * DAY, NOW) == (
        True,
        "expired 2030-03-30 12:00 UTC, due since 2030-02-27 12:00 UTC",
    )
    assert is_due(POLICY, NOW - DAY, NOW, NOW)[0]


def test_a_version_without_an_end_is_never_due() -> None:
    """The reason says what to do about it."""
    due, why = is_due(POLICY, None, NOW - 1000 * DAY, NOW)
    assert not due
    assert "no expiry date: start by hand once" in why


def test_a_version_without_an_end_of_a_credential_without_one_is_judged_by_its_age() -> None:
    """It ends when one that was made with it would, and keeps its lead; an end that it has counts alone."""
    by_age = msgspec.structs.replace(policy(lifetime="P100D", lead="P10D"), by_age=True)
    young, old = NOW - 85 * DAY, NOW - 90 * DAY
    assert is_due(by_age, None, young, NOW) == (
        False,
        "has no expiry date, made 2030-01-05 12:00 UTC, due from 2030-04-04 12:00 UTC",
    )
    assert is_due(by_age, None, old, NOW)[0]
    assert not is_due(by_age, NOW + 50 * DAY, old, NOW)[0]


LIFETIMES = st.timedeltas(min_value=HOUR, max_value=731 * DAY)
LEADS = st.builds(Span, st.integers(0, 23), st.integers(1, 30 * 86400))


@given(LIFETIMES, LEADS, st.floats(0, 0.3), st.timedeltas(min_value=-DAY, max_value=timedelta()))
def test_a_version_that_was_just_made_is_never_due(
    lifetime: timedelta, lead: Span, waited: float, skew: timedelta
) -> None:
    """Whatever lifetime and lead, and with up to a third of the lifetime gone by, a rotation causes no other."""
    with_lead = Policy(credential=POLICY.credential, lead=lead)
    assert not is_due(with_lead, NOW + lifetime, NOW, NOW + waited * lifetime + skew)[0]


@given(st.integers(0, 24), st.integers(0, 100 * 86400), LEADS)
def test_a_new_version_of_any_policy_is_not_due(months: int, seconds: int, lead: Span) -> None:
    """The same by the policy's own lifetime, as a rotation computes the end."""
    lifetime = Span(months, seconds + 3600)
    fresh = Policy(credential=POLICY.credential, lifetime=lifetime, lead=lead)
    assert not is_due(fresh, lifetime.after(NOW), NOW, NOW)[0]


@given(LIFETIMES, LEADS, st.timedeltas(min_value=-DAY, max_value=800 * DAY))
def test_what_is_due_stays_due(lifetime: timedelta, lead: Span, later: timedelta) -> None:
    """Time makes a version due and nothing else undoes it; at its end at the latest it is."""
    with_lead = Policy(credential=POLICY.credential, lead=lead)
    end = NOW + lifetime
    if is_due(with_lead, end, NOW, NOW + later)[0]:
        assert is_due(with_lead, end, NOW, NOW + later + HOUR)[0]
    assert is_due(with_lead, end, NOW, end)[0]


@pytest.mark.parametrize(
    ("lead", "lives", "effective"),
    [("P30D", 180, 30), ("P30D", 90, 30), ("P30D", 30, 10), ("P60D", 90, 30), ("P1D", 30, 1), ("P1M", 180, 30)],
)
def test_the_lead_is_at_most_a_third_of_the_versions_life(lead: str, lives: int, effective: int) -> None:
    """A short-lived version isn't rotated all the time; calendar months count back from the end."""
    end = datetime(2030, 5, 31, tzinfo=UTC)
    found = effective_lead(policy(lead=lead), end - lives * DAY, end)
    assert found == (31 if lead == "P1M" else effective) * DAY


def test_the_grace_never_exceeds_what_is_left() -> None:
    """The policy's grace counts from now and ends with the old credential at the latest, never in the past."""
    assert grace_until(POLICY, NOW, NOW + 30 * DAY) == NOW + 7 * DAY
    assert grace_until(POLICY, NOW, NOW + 2 * DAY) == NOW + 2 * DAY
    assert grace_until(POLICY, NOW, None) == NOW + 7 * DAY
    assert grace_until(POLICY, NOW, NOW - DAY) == NOW
    assert grace_until(policy(grace="P1M"), NOW, None) == datetime(2030, 4, 30, 12, tzinfo=UTC)
    assert grace_until(policy(grace="PT0S"), NOW, NOW + DAY) == NOW
