"""host.json as the real host reads it: names without regard to case, overrides by settings, values checked at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.host.lenient_json import read_json
from local.host.settings_error import SettingsError
from local.host.timespans import NotTimeSpanError, parse_timespan

_OVERRIDE = "azurefunctionsjobhost__"
_VERSION = "2.0"


class HostJson:
    """One section of the file, and how values are taken from it. Unknown keys are ignored."""

    def __init__(self, content: Mapping[str, Any], path: tuple[str, ...] = ()) -> None:
        self._content = {name.lower(): value for name, value in content.items()}
        self._path = path

    def section(self, *names: str) -> "HostJson":
        """Return a section, empty if it is missing."""
        if not names:
            return self
        content = self._content.get(names[0].lower()) or {}
        if not isinstance(content, dict):
            raise self.refuse(names[0], content, "expected an object")
        return HostJson(content, (*self._path, names[0])).section(*names[1:])

    def text(self, name: str, default: str) -> str:
        """Return a value as text."""
        value = self._content.get(name.lower())
        return default if value is None else str(value)

    def number(self, name: str, default: int, lowest: int, highest: int | None = None) -> int:
        """Return a whole number in a range."""
        text = self.text(name, str(default))
        expected = f"expected {lowest} to {highest}" if highest is not None else f"expected {lowest} or more"
        try:
            value = int(text)
        except ValueError:
            raise self.refuse(name, text, f"not a whole number, {expected}") from None
        if value < lowest or (highest is not None and value > highest):
            raise self.refuse(name, text, expected)
        return value

    def seconds(self, name: str, default: str, lowest: float, highest: float) -> float:
        """Return a time span in seconds."""
        text = self.text(name, default)
        try:
            value = parse_timespan(text).total_seconds()
        except NotTimeSpanError as error:
            raise self.refuse(name, text, str(error)) from None
        if not lowest <= value <= highest:
            raise self.refuse(name, text, f"expected {lowest:g} to {highest:g} seconds")
        return value

    def refuse(self, name: str, value: Any, expected: str) -> SettingsError:
        """Return the error that names a value."""
        return SettingsError(f"host.json {'.'.join((*self._path, name))} is {value!r}: {expected}")


def read_host_json(folder: Path, environment: Mapping[str, str]) -> HostJson:
    """Read the file of an app's folder, overrides applied; SettingsError if it is missing or not of version 2.0."""
    path = folder / "host.json"
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: start the host in a function app's folder") from None
    if (version := str(content.get("version"))) != _VERSION:
        raise SettingsError(f"{path}: version is {version!r}, expected '{_VERSION}'")
    for name, value in environment.items():
        if name.lower().startswith(_OVERRIDE):
            _override(content, name[len(_OVERRIDE) :].split("__"), value)
    return HostJson(content)


def _override(node: dict[str, Any], path: list[str], value: str) -> None:
    """Apply AzureFunctionsJobHost__a__b=value."""
    name = next((key for key in node if key.lower() == path[0].lower()), path[0])
    if len(path) == 1:
        node[name] = value
        return
    if not isinstance(node.get(name), dict):
        node[name] = {}
    _override(node[name], path[1:], value)
