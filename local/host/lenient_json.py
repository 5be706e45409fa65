"""JSON files as the real host and Core Tools read them: with comments, trailing commas and a byte order mark."""

import re
from pathlib import Path
from typing import Any

import msgspec

from local.host.settings_error import SettingsError

_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*[}}\]])")


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; FileNotFoundError, or SettingsError if it isn't one."""
    text = path.read_text("utf-8-sig")
    for extra in (_COMMENT, _TRAILING_COMMA):
        text = extra.sub(lambda match: match[1] or " ", text)
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise SettingsError(f"{path}: {error}") from None
