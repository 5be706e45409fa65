"""What importing the function app must not cost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    "msgraph",
    "azure.mgmt",
    "azure.storage",
    "azure.communication",
    "azure.keyvault",
    "azure.identity",
    "jinja2",
)


@pytest.mark.skipif(not (ROOT / "function_app.py").exists(), reason="there is no function_app.py yet")
def test_the_function_app_loads_no_sdk() -> None:
    """SDKs and templates are imported by the activity that needs them, never by the app's start."""
    values = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    script = f"import sys, function_app; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **values},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    assert not done.stdout.split()
