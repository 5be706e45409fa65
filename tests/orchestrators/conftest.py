"""Knows which warning the Durable Functions SDK raises about itself, once per process."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let the SDK decode an orchestrator's input without a type: it loses the annotation in a wrapper of its own."""
    config.addinivalue_line("filterwarnings", "ignore:azure.functions df_loads was called without:DeprecationWarning")
