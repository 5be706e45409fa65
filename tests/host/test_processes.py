"""Child processes: waiting, stopping, and no orphans."""

import sys
from pathlib import Path

import pytest

from local.processes import Process, ProcessError, wait_until
from tests.host.hosting import wait_gone

_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(99)"
)


def _python(code: str, log: Path) -> Process:
    return Process([sys.executable, "-c", code], log=log)


def test_early_end_shows_the_log(tmp_path: Path) -> None:
    """Waiting for a process that ends is an error with its code and its last words."""
    with (
        _python("print('last words'); raise SystemExit(3)", tmp_path / "log") as process,
        pytest.raises(ProcessError, match=r"(?s)ended \(3\).*last words"),
    ):
        process.wait_ready("http://127.0.0.1:1/")


def test_patience_ends(tmp_path: Path) -> None:
    """Waiting for what doesn't come is a TimeoutError that names it."""
    with (
        _python("import time; time.sleep(99)", tmp_path / "log") as process,
        pytest.raises(TimeoutError, match="log has 'never'"),
    ):
        process.wait_output("never", timeout=0.1)


def test_stubborn_process_is_killed(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is killed after the time it was given."""
    process = _python(_STUBBORN, tmp_path / "log").start()
    process.wait_output("up")
    assert process.stop(timeout=0.1) == -9


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A killed parent takes its child along, even one that ignores signals."""
    log = tmp_path / "child.log"
    parent = _python(
        "import sys, time; from pathlib import Path; from local.processes import Process\n"
        f"print(Process([sys.executable, '-c', {_STUBBORN!r}], log=Path({str(log)!r})).start().pid, flush=True)\n"
        "time.sleep(99)",
        tmp_path / "log",
    ).start()
    wait_until(lambda: log.exists() and "up" in log.read_text(), "the child is up")
    child = int(parent.output())
    parent.kill()
    wait_gone(child)
