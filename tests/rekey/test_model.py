"""What crosses the steps: calendar arithmetic, and JSON there and back."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.model import (
    ConsumerRef,
    CredentialRef,
    Ok,
    Outcome,
    Permanent,
    Policy,
    Reason,
    RetryAfter,
    Rotation,
    RotationRequest,
    Span,
    Unclear,
    decode,
    encode,
)

NOW = datetime(2030, 1, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("months", "year", "month", "day"),
    [(1, 2030, 2, 28), (13, 2031, 2, 28), (25, 2032, 2, 29), (11, 2030, 12, 31), (12, 2031, 1, 31), (24, 2032, 1, 31)],
)
def test_the_31st_plus_months_ends_in_the_right_month(months: int, year: int, month: int, day: int) -> None:
    """A month that is too short gives its last day, never one of the next month."""
    assert Span(months=months).after(NOW) == NOW.replace(year=year, month=month, day=day)


@given(st.integers(0, 48), st.integers(0, 10**7))
def test_months_are_added_before_seconds(months: int, seconds: int) -> None:
    """Seconds are exact and come on top of the calendar months."""
    assert Span(months, seconds).after(NOW) == Span(months).after(NOW) + timedelta(seconds=seconds)


def rotation(**changes: object) -> Rotation:
    """Return a rotation with every kind of field filled."""
    policy = Policy(
        credential=CredentialRef("toy", "a"),
        consumers=(ConsumerRef("toy-place", "toy-place://a/b/c"),),
        owners=("a@b",),
    )
    given: dict[str, object] = {
        "id": "r",
        "vault": "kv-shop",
        "secret": "s",
        "reason": Reason.EVENT,
        "started": NOW,
        "policy": policy,
        "old_version": "v",
        "expires": NOW + timedelta(days=30),
    }
    return msgspec.convert(given | changes, Rotation)


def test_a_rotation_survives_the_durable_store() -> None:
    """Encoded, dumped, loaded and decoded, a rotation is what it was, times in UTC included."""
    assert decode(json.loads(json.dumps(encode(rotation()))), Rotation) == rotation()


@pytest.mark.parametrize(
    "outcome", [Ok({"a": 1}), RetryAfter("busy", "wait", 2.5), Permanent("gone", "m", "do"), Unclear("lost", "m")]
)
def test_outcomes_keep_their_kind(outcome: Ok | RetryAfter | Permanent | Unclear) -> None:
    """An outcome is told apart by its tag after it has been JSON."""
    assert decode(json.loads(json.dumps(encode(outcome))), Outcome.__value__) == outcome


def test_a_request_names_the_field_that_is_wrong() -> None:
    """A reason nobody knows, and a field nobody knows, are refused by path."""
    with pytest.raises(msgspec.ValidationError, match=r"\$\.reason"):
        decode({"vault": "kv-shop", "secret": "b", "reason": "because"}, RotationRequest)
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        decode({"vault": "kv-shop", "secret": "b", "surprise": 1}, RotationRequest)


def test_a_stuck_rotation_ends_with_the_old_credential() -> None:
    """The deadline is the old version's end; where that has passed or is unknown it is a week."""
    assert rotation().deadline() == NOW + timedelta(days=30)
    assert rotation(expires=None).deadline() == NOW + timedelta(days=7)
    assert rotation(expires=NOW - timedelta(days=1)).deadline() == NOW + timedelta(days=7)
