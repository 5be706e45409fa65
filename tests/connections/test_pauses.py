"""What Azure DevOps asks for in the headers of a good answer: how long it wants nothing from the app."""

import pytest

from rekey.azure_devops import LONGEST_LIMIT, pause

DATE = {"Date": "Sat, 21 Nov 2026 05:00:00 GMT"}
NOW = 1795237200


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"Retry-After": "7", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 90}"}, 7.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 90}"}, 90.0),
        ({"X-RateLimit-Remaining": "12", "X-RateLimit-Reset": f"{NOW + 90}"}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW - 90}"}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * 40}, LONGEST_LIMIT),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, 0.0),
        ({"X-RateLimit-Remaining": "0"}, 0.0),
    ],
)
def test_limits_are_read_from_headers(headers: dict[str, str], seconds: float) -> None:
    """Retry-After goes first; else what is left and when there is more; what can't be used asks for nothing."""
    assert pause({**DATE, **headers}) == seconds
