"""A host on the sample app, and Azurite."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.host.hosting import RunningHost

# Nothing listens there: apps without a queue test need a connection, not a queue.
_NO_STORAGE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:1/a;"


@pytest.fixture(scope="module")
def make_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningHost]]:
    """Make hosts with an environment of their own; all are stopped with the module."""
    made: list[RunningHost] = []

    def make(faults: list[dict[str, Any]] | None = None, port: int | None = 0, **environment: str) -> RunningHost:
        folder = tmp_path_factory.mktemp("host")
        if faults is not None:
            (folder / "faults.json").write_text(json.dumps(faults))
            environment["LOCAL_HOST_KILL_FILE"] = str(folder / "faults.json")
        never = {"SAMPLE_SCHEDULE": "0 0 0 30 2 *"}
        settings = {"SAMPLE_QUEUE": "unused", "SAMPLE_STORAGE": _NO_STORAGE, **never, **environment}
        made.append(RunningHost(folder, settings, port))
        return made[-1]

    yield make
    for host in made:
        host.stop()


@pytest.fixture(scope="module")
def host(make_host: Callable[..., RunningHost]) -> RunningHost:
    """One host for the tests of a module that don't disturb each other."""
    return make_host().start()
