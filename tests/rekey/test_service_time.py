"""A service's own time: exactly one Date header that is a date."""

from datetime import UTC, datetime

import pytest

from rekey.service_time import said_by


def test_one_date_is_the_time() -> None:
    """As HTTP writes it, in UTC."""
    assert said_by(["Sat, 21 Nov 2026 08:06:07 GMT"]) == datetime(2026, 11, 21, 8, 6, 7, tzinfo=UTC)
    assert said_by([None, "Sat, 21 Nov 2026 09:06:07 +0100"]) == datetime(2026, 11, 21, 8, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize("headers", [[], [None], [""], ["soon"], ["2026-11-21"], ["Sat, 21 Nov 2026 08:06:07 GMT"] * 2])
def test_anything_else_is_no_time(headers: list[str | None]) -> None:
    """None, an odd one or two of them prove nothing."""
    assert said_by(headers) is None
