"""What host.json must say for the product to be right, not only fast."""

import json
import re
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def host() -> Any:
    return json.loads((ROOT / "host.json").read_text())


def at(tree: Any, path: str) -> Any:
    return reduce(lambda node, key: node[key], path.split("."), tree)


def span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d)", text)
    assert found, f"{text} is no hh:mm:ss"
    hours, minutes, seconds = map(int, found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def test_events_reach_the_code_as_they_were_queued(host: Any) -> None:
    """Without encoding by the host, both plain and base64 events reach the code that tells them apart."""
    assert at(host, "extensions.queues.messageEncoding") == "none"


def test_a_failed_event_rests_before_its_next_try_and_ends_as_poison(host: Any) -> None:
    """Between tries lies at least a minute, and the fifth failure is the last."""
    assert span(at(host, "extensions.queues.visibilityTimeout")) >= timedelta(minutes=1)
    assert at(host, "extensions.queues.maxDequeueCount") == 5


def test_inputs_and_outputs_are_never_traced(host: Any) -> None:
    """The durable extension logs neither inputs nor outputs nor replays."""
    tracing = at(host, "extensions.durableTask.tracing")
    assert tracing["traceInputsAndOutputs"] is False
    assert tracing["traceReplayEvents"] is False


def test_every_instance_carries_a_version(host: Any) -> None:
    """A default version is set, so that later releases can tell which code an instance began with."""
    assert at(host, "extensions.durableTask.defaultVersion") == "1.0"
    assert at(host, "extensions.durableTask.versionMatchStrategy") == "CurrentOrOlder"


def test_the_task_hub_has_a_name_of_its_own(host: Any) -> None:
    """The hub's name is fixed and fits Azure Storage: a renamed app keeps its instances."""
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,44}", at(host, "extensions.durableTask.hubName"))


def test_an_activity_outlives_its_function_timeout_only_as_a_redelivery(host: Any) -> None:
    """A function ends after at most ten minutes, the longest that every hosting plan allows."""
    assert span(host["functionTimeout"]) <= timedelta(minutes=10)


def test_nothing_is_logged_below_information(host: Any) -> None:
    """No logger is set to Trace or Debug: there the host and the SDKs log messages and headers."""
    assert not {level.lower() for level in at(host, "logging.logLevel").values()} & {"trace", "debug"}


def test_step_events_are_never_sampled_away(host: Any) -> None:
    """Sampling spares requests, exceptions and the log events that the workbook reads."""
    spared = at(host, "logging.applicationInsights.samplingSettings.excludedTypes").split(";")
    assert set(spared) >= {"Request", "Exception", "Trace"}


def test_extensions_come_from_the_public_bundle(host: Any) -> None:
    """The bundle with the durable extension is version 4, from the public feed."""
    assert host["version"] == "2.0"
    assert host["extensionBundle"] == {
        "id": "Microsoft.Azure.Functions.ExtensionBundle",
        "version": "[4.*, 5.0.0)",
    }
