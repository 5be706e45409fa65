"""What is deployed: the app, and nothing that exists for development."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ignored(tmp_path: Path) -> set[str]:
    """Every tracked or new file that .funcignore keeps out; git reads the same patterns."""
    shutil.copy(ROOT / ".funcignore", tmp_path / ".gitignore")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"], cwd=tmp_path, input=listed, capture_output=True, check=False
    )
    return set(done.stdout.decode().splitlines())


def test_only_the_app_is_deployed(ignored: set[str]) -> None:
    """Of all files, those of the app and its two manifests are what a deployment carries."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    deployed = {Path(path).parts[0] for path in listed if path not in ignored}
    assert deployed <= {
        *("function_app.py", "host.json", "requirements.txt", ".funcignore", "LICENSE"),
        *("triggers", "orchestrators", "activities", "rekey"),
    }


def test_nothing_of_the_app_is_left_out(ignored: set[str]) -> None:
    """No pattern meant for development catches a file of the app."""
    app = ("triggers/", "orchestrators/", "activities/", "rekey/", "host.json", "requirements.txt", "function_app.py")
    assert not [path for path in ignored if path.startswith(app) and not path.endswith(".md")]
