"""The example of local settings: complete, and accepted by the app as it stands."""

import json
import re
from pathlib import Path

from rekey.settings import read

ROOT = Path(__file__).parents[2]


def example() -> dict[str, str]:
    values: dict[str, str] = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    return values


def test_the_example_is_accepted() -> None:
    """Whoever copies the example gets an app that starts."""
    assert read(example()).deployment == "dev"


def test_the_example_has_every_setting_and_no_other() -> None:
    """What rekey's settings modules read and what the example shows are the same names."""
    modules = (path.read_text() for path in (ROOT / "rekey").glob("*settings.py"))
    known = {name for module in modules for name in re.findall(r'"(REKEY_[A-Z_]+)"', module)}
    assert {name for name in example() if name.startswith("REKEY_")} == known


def test_the_durable_sdk_types_strictly() -> None:
    """An orchestration's input can't name a class for the SDK to build: whoever copies the example is covered."""
    assert example()["AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"] == "1"
