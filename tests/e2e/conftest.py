"""Knows how the end-to-end tests share what is slow to start: one company for each process of the tests."""

import socket
from collections.abc import Iterator

import pytest

from local.azure import resolve
from tests.e2e.company import Company, running


@pytest.fixture(scope="session", autouse=True)
def _localhost() -> Iterator[None]:
    """Resolve `*.localhost` in the test's own process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
        resolve.install()
        yield


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Run one company for all of the process's tests; each of them makes secrets of its own."""
    with running(tmp_path_factory.mktemp("company")) as found:
        yield found
