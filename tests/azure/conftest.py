"""Knows which warnings the Graph SDK raises about itself, whoever imports it."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let the generated Graph client define its own deprecated classes: every import of a request builder warns."""
    for message in ("GetQueryParameters is deprecated", "This class is deprecated. Please use the generic Request"):
        config.addinivalue_line("filterwarnings", f"ignore:{message}:DeprecationWarning")
