"""Where the host's settings come from: host.json, local.settings.json, the environment; and what they mean."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.host.host_json import HostJson, read_host_json
from local.host.local_settings import read_local_settings
from local.host.settings_error import SettingsError

DEFAULT_PORT = 7071
_WEEK_SECONDS = 7 * 24 * 3600
_MOST_WORKERS = 10
_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}


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
    origins: tuple[str, ...]
    """The sites whose pages may call the functions (CORS)."""
    origins_credentials: bool
    route_prefix: str
    hub_name: str
    default_version: str | None
    lease_seconds: float
    longest_timer: float | None
    """After how many seconds a durable timer fires though its time hasn't come; None for never."""
    function_timeout: float | None
    """After how many seconds a function's process is ended and started again; None for never."""
    worker_processes: int
    log_level: int
    app_log_level: int
    queues: QueueSettings
    data_folder: Path
    """What outlives the host is kept here: LOCAL_HOST_DATA, `.durable` in the app's folder if that isn't set."""
    environment: Mapping[str, str]


def read_settings(folder: Path, port: int | None = None, environ: Mapping[str, str] = os.environ) -> HostSettings:
    """Read the settings of the function app in `folder`; SettingsError if one is wrong or host.json is missing."""
    local = read_local_settings(folder)
    environment = local.over(environ)
    host = read_host_json(folder, environment)
    durable = host.section("extensions", "durableTask")
    return HostSettings(
        folder=folder,
        port=local.port or DEFAULT_PORT if port is None else port,
        origins=local.origins,
        origins_credentials=local.credentials,
        route_prefix=host.section("extensions", "http").text("routePrefix", "api").strip("/"),
        hub_name=durable.text("hubName", "") or "TestHubName",
        default_version=durable.text("defaultVersion", "") or None,
        lease_seconds=_switch_seconds("LOCAL_HOST_LEASE_SECONDS", environment) or 300,
        longest_timer=_switch_seconds("LOCAL_HOST_LONGEST_TIMER", environment),
        function_timeout=_function_timeout(host),
        worker_processes=_worker_processes(environment),
        log_level=_log_level(host, "Host", environment),
        app_log_level=_log_level(host, "Function", environment),
        queues=_queue_settings(host.section("extensions", "queues")),
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


def _queue_settings(section: HostJson) -> QueueSettings:
    """Return the settings of queue triggers, in the ranges that the Storage Queues extension takes."""
    encoding = section.text("messageEncoding", "base64").lower()
    if encoding not in {"none", "base64"}:
        raise section.refuse("messageEncoding", encoding, "expected none or base64")
    batch_size = section.number("batchSize", 16, 1, 32)
    return QueueSettings(
        base64=encoding == "base64",
        visibility_timeout=section.seconds("visibilityTimeout", "00:00:00", 0, _WEEK_SECONDS),
        # The real default is a minute; Core Tools uses 2 s in the Development environment, and so does this host.
        max_polling_interval=section.seconds("maxPollingInterval", "00:00:02", 0.1, _WEEK_SECONDS),
        batch_size=batch_size,
        new_batch_threshold=section.number("newBatchThreshold", batch_size // 2, 0),
        max_dequeue_count=section.number("maxDequeueCount", 5, 1),
    )


def _function_timeout(host: HostJson) -> float | None:
    """Return host.json's functionTimeout: half an hour if it says nothing, -1 for none, as on plans without a limit."""
    if host.text("functionTimeout", "") in {"-1", "-1.00:00:00"}:
        return None
    return host.seconds("functionTimeout", "00:30:00", 1, float("inf"))


def _switch_seconds(name: str, environment: Mapping[str, str]) -> float | None:
    """Return the seconds a switch for tests says; None if it is off."""
    text = environment.get(name)
    try:
        return float(text) if text else None
    except ValueError:
        raise SettingsError(f"{name} {text!r}: expected a number of seconds") from None


def _worker_processes(environment: Mapping[str, str]) -> int:
    """Return FUNCTIONS_WORKER_PROCESS_COUNT; the real host takes less than 1 for 1, and refuses more than 10."""
    text = environment.get("FUNCTIONS_WORKER_PROCESS_COUNT") or "1"
    try:
        count = int(text)
    except ValueError:
        count = _MOST_WORKERS + 1
    if count > _MOST_WORKERS:
        raise SettingsError(f"FUNCTIONS_WORKER_PROCESS_COUNT {text!r}: expected 1 to {_MOST_WORKERS}")
    return max(count, 1)


def _log_level(host: HostJson, category: str, environment: Mapping[str, str]) -> int:
    """Return from which level on a category is written: LOCAL_HOST_LOG_LEVEL, else host.json's own or default one."""
    levels = host.section("logging", "logLevel")
    named = {"LOCAL_HOST_LOG_LEVEL": environment.get("LOCAL_HOST_LOG_LEVEL", "")} | {
        f"host.json logging.logLevel.{name}": levels.text(name, "") for name in (category, "default")
    }
    for name, level in named.items():
        if level and level.lower() not in _LEVELS:
            raise SettingsError(f"{name} {level!r}: expected one of {', '.join(_LEVELS)}")
    return next((_LEVELS[level.lower()] for level in named.values() if level), logging.INFO)
