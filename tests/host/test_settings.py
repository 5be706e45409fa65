"""host.json, local.settings.json and the environment: what each says, and which wins."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from local.host.local_settings import LocalSettings, read_local_settings
from local.host.settings import HostSettings, read_settings
from local.host.settings_error import SettingsError
from local.processes import free_port
from tests.host.hosting import RunningHost

_VERSION = '{"version": "2.0"}'
_OPEN = {"IsEncrypted": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A function app's folder with the least host.json."""
    (tmp_path / "host.json").write_text(_VERSION)
    return tmp_path


def _host(folder: Path, text: str) -> None:
    (folder / "host.json").write_text(text, encoding="utf-8")


def _local(folder: Path, **content: object) -> None:
    (folder / "local.settings.json").write_text(json.dumps({**_OPEN, **content}))


def _read(folder: Path, **environ: str) -> HostSettings:
    return read_settings(folder, None, environ)


def test_defaults(folder: Path) -> None:
    """A host.json with its version only is enough."""
    settings = _read(folder)
    assert (settings.port, settings.route_prefix, settings.hub_name) == (7071, "api", "TestHubName")
    assert (settings.function_timeout, settings.worker_processes) == (1800, 1)
    assert (settings.log_level, settings.app_log_level) == (logging.INFO, logging.INFO)
    assert settings.queues.batch_size == 2 * settings.queues.new_batch_threshold == 16
    assert settings.data_folder == folder / ".durable"


def test_comments_and_trailing_commas_are_read_over(folder: Path) -> None:
    """As .NET's reader does: both kinds of comments, commas before a bracket, a mark; not inside strings."""
    http = '"extensions": {"http": {"routePrefix": "a//b,]"},}, }'
    _host(folder, '\ufeff{ // one, }\n "version": "2.0", /* , } */ ' + http)
    assert _read(folder).route_prefix == "a//b,]"


def test_names_have_no_case_and_unknown_ones_mean_nothing(folder: Path) -> None:
    """host.json is read without regard to case; what isn't known is left alone."""
    _host(folder, '{"version": "2.0", "Extensions": {"DURABLETASK": {"HubName": "H"}, "x": 1}, "healthMonitor": {}}')
    assert _read(folder).hub_name == "H"


def test_settings_override_host_json(folder: Path) -> None:
    """AzureFunctionsJobHost__a__b wins over the file, sections that it hasn't got included."""
    _host(folder, '{"version": "2.0", "extensions": {"queues": {"batchSize": 4}}}')
    names = ("AzureFunctionsJobHost__extensions__Queues__batchSize", "AZUREFUNCTIONSJOBHOST__functionTimeout")
    settings = _read(folder, **dict(zip(names, ("8", "-1"), strict=True)))
    assert (settings.queues.batch_size, settings.function_timeout) == (8, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "version is 'None', expected '2.0'"),
        ('{"version": "3.0"}', "version is '3.0'"),
        ("[]", "host.json: Expected `object`"),
        ('{"version": "2.0", "extensions": 1}', "host.json extensions is 1: expected an object"),
        ('{"version": "2.0", "functionTimeout": "00:00:00.5"}', "functionTimeout .*expected 1 to inf seconds"),
        ('{"version": "2.0", "functionTimeout": "soon"}', "host.json functionTimeout .*not a time span"),
        ('{"version": "2.0", "logging": {"logLevel": {"default": "loud"}}}', "logLevel.default 'loud': expected one"),
    ],
)
def test_wrong_host_json_is_refused(folder: Path, text: str, message: str) -> None:
    """What can't be used is named with its place, its value and what was expected."""
    _host(folder, text)
    with pytest.raises(SettingsError, match=message):
        _read(folder)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("batchSize", "0", "1 to 32"),
        ("batchSize", "33", "1 to 32"),
        ("batchSize", "many", "not a whole number"),
        ("newBatchThreshold", "-1", "0 or more"),
        ("maxDequeueCount", "0", "1 or more"),
        ("maxPollingInterval", "00:00:00.05", "0.1 to"),
        ("visibilityTimeout", "-00:00:01", "0 to"),
        ("visibilityTimeout", "8.00:00:00", "0 to 604800 seconds"),
        ("messageEncoding", "rot13", "none or base64"),
    ],
)
def test_queue_settings_out_of_range_are_refused(folder: Path, name: str, value: str, expected: str) -> None:
    """What the Storage Queues extension refuses is refused, and named."""
    _host(folder, json.dumps({"version": "2.0", "extensions": {"queues": {name: value}}}))
    with pytest.raises(SettingsError, match=f"host.json extensions.queues.{name} is .*{expected}"):
        _read(folder)


@pytest.mark.parametrize("name", ["LOCAL_HOST_LEASE_SECONDS", "LOCAL_HOST_LONGEST_TIMER"])
def test_switches_that_are_seconds_are_numbers(folder: Path, name: str) -> None:
    """A lease time, or a timer's longest time, that isn't a number is named."""
    with pytest.raises(SettingsError, match=f"{name} 'long': expected a number"):
        _read(folder, **{name: "long"})


def test_log_levels(folder: Path) -> None:
    """The host and the app have a level each, else the default one; the switch wins over both."""
    _host(folder, '{"version": "2.0", "logging": {"logLevel": {"default": "Error", "Function": "Debug"}}}')
    settings = _read(folder)
    assert (settings.log_level, settings.app_log_level) == (logging.ERROR, logging.DEBUG)
    switched = _read(folder, LOCAL_HOST_LOG_LEVEL="Warning")
    assert (switched.log_level, switched.app_log_level) == (logging.WARNING, logging.WARNING)


def test_environment_wins_over_local_settings_unless_empty(folder: Path) -> None:
    """As in Core Tools: a real variable hides the file's, an empty one doesn't; nulls are left out."""
    _local(folder, Values={"A": "file", "B": "file", "C": None, "D": 5, "": "x"}, ConnectionStrings={"S": "one"})
    environment = _read(folder, A="real", B="").environment
    assert environment == {"A": "real", "B": "file", "D": "5", "ConnectionStrings:S": "one"}


def test_local_settings_of_the_host(folder: Path) -> None:
    """Port and sites are taken from the file, and --port wins."""
    sites = "https://a.example, https://b.example"
    _local(folder, Host={"LocalHttpPort": 8123, "CORS": sites, "CORSCredentials": True})
    settings = _read(folder)
    assert (settings.port, settings.origins_credentials) == (8123, True)
    assert settings.origins == ("https://a.example", "https://b.example")
    assert read_settings(folder, 9000, {}).port == 9000


def test_connection_strings_may_be_objects(folder: Path) -> None:
    """The form with a provider is read as well."""
    _local(folder, ConnectionStrings={"Sql": {"ConnectionString": "Server=x", "ProviderName": "p"}})
    assert read_local_settings(folder) == LocalSettings({"ConnectionStrings:Sql": "Server=x"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"IsEncrypted": true, "Values": {"A": "b"}}', "is encrypted"),
        ('{"Values": {"A": "b"}}', "is encrypted, or has no"),
        ('{"IsEncrypted": false, "Values": [1]}', "Values is list, expected an object"),
        ('{"IsEncrypted": false, "Host": {"LocalHttpPort": "a"}}', "LocalHttpPort is 'a', expected a number"),
        ("{", "local.settings.json: "),
    ],
)
def test_wrong_local_settings_are_refused(folder: Path, content: str, message: str) -> None:
    """An encrypted file, one that doesn't say that it isn't, and a malformed one stop the start."""
    (folder / "local.settings.json").write_text(content)
    with pytest.raises(SettingsError, match=message):
        _read(folder)


def test_running_host_takes_port_settings_and_sites(make_host: Callable[..., RunningHost]) -> None:
    """Without --port the file's port is listened on, the app sees its settings, and the site named may call."""
    host, port = make_host(port=None), free_port()
    _local(
        host.folder / "app",
        Values={"SAMPLE_LOCAL": "from the file"},
        ConnectionStrings={"Sql": "Server=x"},
        Host={"LocalHttpPort": port, "CORS": "https://a.example"},
    )
    host.start()
    assert host.http.base_url.port == port
    answer = host.http.get("/api/pid", headers={"Origin": "https://a.example"})
    assert answer.text.split(maxsplit=1)[1] == "Server=x from the file"
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    other = host.http.get("/api/pid", headers={"Origin": "https://b.example"})
    assert "access-control-allow-origin" not in other.headers
