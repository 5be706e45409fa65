"""local.settings.json: settings for the app, and what the host does on this machine, as Core Tools read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.host.lenient_json import read_json
from local.host.settings_error import SettingsError


@dataclass(frozen=True)
class LocalSettings:
    """What the file says; nothing for each part that is missing."""

    values: Mapping[str, str]
    """`Values`, and `ConnectionStrings` as ConnectionStrings:<name>."""
    port: int | None = None
    origins: tuple[str, ...] = ()
    """The sites whose pages may call the functions (CORS)."""
    credentials: bool = False

    def over(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the app's environment: the real one wins, unless its value is empty."""
        return {**environ, **{name: value for name, value in self.values.items() if not environ.get(name)}}


def read_local_settings(folder: Path) -> LocalSettings:
    """Read the file of an app's folder; SettingsError if it is encrypted or malformed."""
    path = folder / "local.settings.json"
    try:
        content = read_json(path)
    except FileNotFoundError:
        return LocalSettings({})
    values, connections, host = (_object(path, content, name) for name in ("Values", "ConnectionStrings", "Host"))
    # Core Tools take a file that doesn't say for an encrypted one.
    if (values or connections) and content.get("IsEncrypted") is not False:
        raise SettingsError(
            f'{path} is encrypted, or has no "IsEncrypted": false; this host can\'t decrypt it: func settings decrypt'
        )
    return LocalSettings(
        {**_texts(values), **{f"ConnectionStrings:{name}": text for name, text in _connections(connections)}},
        _port(path, host),
        origins(str(host.get("CORS") or "")),
        host.get("CORSCredentials") is True,
    )


def origins(text: str) -> tuple[str, ...]:
    """Return the sites of a list with commas."""
    return tuple(origin.strip() for origin in text.split(",") if origin.strip())


def _object(path: Path, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name) or {}
    if not isinstance(part, dict):
        raise SettingsError(f"{path}: {name} is {type(part).__name__}, expected an object")
    return part


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that have a value; true and false as .NET writes them."""
    return {name: str(value) for name, value in values.items() if name and value is not None}


def _connections(connections: Mapping[str, Any]) -> list[tuple[str, str]]:
    texts = {
        name: value.get("ConnectionString") if isinstance(value, dict) else value for name, value in connections.items()
    }
    return list(_texts(texts).items())


def _port(path: Path, host: Mapping[str, Any]) -> int | None:
    port = host.get("LocalHttpPort")
    if port in (None, 0):
        return None
    try:
        return int(port)
    except (TypeError, ValueError):
        raise SettingsError(f"{path}: Host.LocalHttpPort is {port!r}, expected a number") from None
