"""The shell scripts are checked: all that there are, and a mistake in one is found."""

import subprocess
from pathlib import Path

from tools.check import checks, shell

ROOT = Path(__file__).parents[2]


def test_every_script_is_checked() -> None:
    """The check names each shell script that git knows of, and is one of all checks."""
    listed = subprocess.run(["git", "ls-files", "*.sh"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert listed.split()
    assert set(listed.split()) <= set(shell(ROOT).command)
    assert shell(ROOT) in checks(ROOT)


def test_a_mistake_is_found(tmp_path: Path) -> None:
    """A variable that falls apart at spaces fails the check; quoted, it passes."""
    script = tmp_path / "tools" / "one.sh"
    script.parent.mkdir()
    for text, code in (("rm -r $1", 1), ('rm -r "$1"', 0)):
        script.write_text(f"#!/usr/bin/env bash\n{text}\n")
        assert (
            subprocess.run(shell(tmp_path).command, cwd=tmp_path, capture_output=True, check=False).returncode == code
        )
