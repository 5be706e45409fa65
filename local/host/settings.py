"""Where the host's settings come from: host.json, local.settings.json, the environment; and what they mean."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from local.host.timespans import NotTimeSpanError, parse_timespan

_OVERRIDE = "AzureFunctionsJobHost__"
_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class SettingsError(Exception):
    """A setting that can't be used; the message says which, and what was expected."""


@dataclass(frozen=True)
class QueueSettings:
    """host.json `extensions.queues`; times in seconds."""

    base64: bool
    visibility_timeout: float
    max_polling_interval: float
    batch_size: int
    new_batch_threshold: int
    max_dequeue_count: int


@dataclass(frozen=True)
class HostSettings:
    """All that the host is told; `environment` is the app's whole environment."""

    folder: Path
    port: int
    route_prefix: str
    hub_name: str
    default_version: str | None
    lease_seconds: float
    log_level: int
    queues: QueueSettings
    data_folder: Path
    """What outlives the host is kept here: LOCAL_HOST_DATA, `.durable` in the app's folder if that isn't set."""
    environment: Mapping[str, str]


def read_settings(folder: Path, port: int, environ: Mapping[str, str] = os.environ) -> HostSettings:
    """Read the settings of the function app in `folder`; SettingsError if one is wrong or host.json is missing."""
    environment = {**_local_values(folder), **environ}
    host = _overridden(_read_json(folder / "host.json"), environment)
    durable = _section(host, "extensions", "durableTask")
    return HostSettings(
        folder=folder,
        port=port,
        route_prefix=str(_section(host, "extensions", "http").get("routePrefix", "api")).strip("/"),
        hub_name=durable.get("hubName") or "TestHubName",
        default_version=durable.get("defaultVersion"),
        lease_seconds=float(environment.get("LOCAL_HOST_LEASE_SECONDS", "300")),
        log_level=_log_level(environment.get("LOCAL_HOST_LOG_LEVEL", "Information")),
        queues=_queue_settings(_section(host, "extensions", "queues")),
        data_folder=Path(environment.get("LOCAL_HOST_DATA") or folder / ".durable").absolute(),
        environment=environment,
    )


def resolve(expression: str, environment: Mapping[str, str]) -> str:
    """Replace each %NAME% of a binding expression by that setting; SettingsError if there is none."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise SettingsError(f"'%{match[1]}%' names a setting that does not exist: set {match[1]}")
        return environment[match[1]]

    return re.sub(r"%([^%]+)%", value, expression)


def timespan(text: str) -> float:
    """Return the seconds of a .NET TimeSpan such as 00:01:30 or 1.00:00:00; SettingsError if it isn't one."""
    try:
        return parse_timespan(text).total_seconds()
    except NotTimeSpanError as error:
        raise SettingsError(str(error)) from None


def _queue_settings(section: Mapping[str, Any]) -> QueueSettings:
    encoding = str(section.get("messageEncoding", "base64")).lower()
    if encoding not in {"none", "base64"}:
        raise SettingsError(f"host.json messageEncoding {encoding!r}: expected none or base64")
    batch_size = int(section.get("batchSize", 16))
    return QueueSettings(
        base64=encoding == "base64",
        visibility_timeout=timespan(str(section.get("visibilityTimeout", "00:00:00"))),
        # The real default is a minute; Core Tools uses 2 s in the Development environment, and so does this host.
        max_polling_interval=timespan(str(section.get("maxPollingInterval", "00:00:02"))),
        batch_size=batch_size,
        new_batch_threshold=int(section.get("newBatchThreshold", batch_size // 2)),
        max_dequeue_count=int(section.get("maxDequeueCount", 5)),
    )


def _local_values(folder: Path) -> dict[str, str]:
    path = folder / "local.settings.json"
    if not path.exists():
        return {}
    content = _read_json(path)
    if content.get("IsEncrypted"):
        raise SettingsError(f"{path} is encrypted; this host can't decrypt it: func settings decrypt")
    return {name: str(value) for name, value in content.get("Values", {}).items()}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: start the host in a function app's folder") from None
    except msgspec.DecodeError as error:
        raise SettingsError(f"{path}: {error}") from None


def _overridden(host: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Apply AzureFunctionsJobHost__a__b=value, as the real host does (names without regard to case)."""
    for name, value in environment.items():
        if name.startswith(_OVERRIDE):
            *parents, leaf = name.removeprefix(_OVERRIDE).split("__")
            node = host
            for parent in parents:
                node = node.setdefault(_actual(node, parent), {})
            node[_actual(node, leaf)] = value
    return host


def _actual(node: Mapping[str, Any], name: str) -> str:
    return next((key for key in node if key.lower() == name.lower()), name)


def _section(host: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        host = host.get(_actual(host, name)) or {}
    return host


def _log_level(name: str) -> int:
    try:
        return _LEVELS[name.lower()]
    except KeyError:
        raise SettingsError(f"LOCAL_HOST_LOG_LEVEL {name!r}: expected one of {', '.join(_LEVELS)}") from None
