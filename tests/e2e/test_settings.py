"""A setting that can't be used stops the app before it does anything, with a sentence that names it."""

import json
import os
import subprocess
import sys

import pytest

from local.processes import free_port
from local.stack import INHERITED, ROOT

EXAMPLE: dict[str, str] = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("REKEY_TENANT_ID", "contoso", "REKEY_TENANT_ID: got 'contoso', expected the Entra tenant's id, a GUID"),
        ("REKEY_SCOPES", "everything", "REKEY_SCOPES: got 'everything', expected"),
        ("REKEY_OPERATORS", None, "REKEY_OPERATORS: "),
    ],
)
def test_a_wrong_setting_stops_the_app(name: str, value: str | None, said: str) -> None:
    """The host ends by itself, not well, and its output has the sentence."""
    settings = {k: v for k, v in {**EXAMPLE, name: value}.items() if v is not None}
    environment = {k: os.environ[k] for k in INHERITED if k in os.environ} | settings
    ended = subprocess.run(
        [sys.executable, "-m", "local.host", "start", "--port", str(free_port())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    assert said in ended.stdout + ended.stderr
