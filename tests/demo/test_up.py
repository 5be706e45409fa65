"""`make up` as people use it: the commands it prints work, and it goes away when told to."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.processes import Process, free_port
from local.stack import ROOT
from local.up import main, write_settings

DONE = "Ctrl-C stops everything."


@pytest.mark.skipif(shutil.which("curl") is None, reason="the printed commands need curl")
def test_every_printed_command_works(tmp_path: Path) -> None:
    """Each command, copied as it is printed, is answered with success, and Ctrl-C ends all with exit code 0."""
    arguments = ("--folder", str(tmp_path / "up"), "--port", str(free_port()))
    command = [sys.executable, "-m", "local.up", *arguments]
    with Process(command, log=tmp_path / "out.txt", cwd=ROOT) as up:
        printed = up.wait_output(DONE)
        commands = [line for line in printed.splitlines() if line.startswith("curl ")]
        assert len(commands) >= 8
        for line in commands:
            answered = subprocess.run(
                ["bash", "-c", f"{line} --fail-with-body"], cwd=ROOT, check=False, capture_output=True
            )
            assert answered.returncode == 0, (line, answered.stdout, answered.stderr)
        os.kill(up.pid, signal.SIGINT)
        assert up.wait() == 0
    assert not (tmp_path / "up" / "pid").exists()


def test_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second start in the folder of one that runs changes nothing and names its process."""
    (tmp_path / "pid").write_text(str(os.getpid()))
    assert main(["--folder", str(tmp_path)]) == 1
    assert str(os.getpid()) in capsys.readouterr().err
    assert (tmp_path / "pid").exists()


def test_foreign_folder_is_not_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with somebody's files in it is refused."""
    (tmp_path / "thesis.txt").touch()
    assert main(["--folder", str(tmp_path)]) == 1
    assert "files that are not from here" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()


def test_settings_survive_the_shell(tmp_path: Path) -> None:
    """Settings written to a file come back as they were when a shell reads it, and only their owner may."""
    settings = {"A": 'a "b" $c; d', "REKEY_SCOPES": '[{"vaults": ["kv"]}]'}
    path = tmp_path / "app.env"
    write_settings(settings, path)
    script = f'set -a; . {shlex.quote(str(path))}; printf \'%s\\n\' "$A" "$REKEY_SCOPES"'
    read = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert read.splitlines() == list(settings.values())
    assert path.stat().st_mode & 0o077 == 0
