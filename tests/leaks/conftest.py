"""Knows how tests that look for leaks get a running company."""

from tests.e2e.conftest import _localhost

__all__ = ["_localhost"]
