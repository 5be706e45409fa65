"""Child processes: free ports, starting without leaving orphans, waiting until ready, stopping."""

import ctypes
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ProcessError(Exception):
    """A child process that didn't start, or ended too early; the message has the end of its log."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago (prefer port 0 where a server takes it)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def die_with_parent() -> None:
    """Ask the kernel to kill the calling process when its parent thread ends (Linux; elsewhere nothing)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def wait_until(condition: Callable[[], bool], what: str, *, timeout: float = 60) -> None:
    """Poll `condition` until it is true; TimeoutError names `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        time.sleep(0.05)


def answers(url: str, tls: ssl.SSLContext | None = None) -> bool:
    """Whether anything (an error status too) answers GET on a URL; https if `tls` says whom to trust."""
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=2, context=tls)
        if tls
        else http.client.HTTPConnection(host, parts.port, timeout=2)
    )
    try:
        connection.request("GET", parts.path or "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


class Process:
    """One child process whose output (both streams) goes to the file `log`.

    It dies with the thread that started it, so start it from one that lives as long as it should.
    `env` is the whole environment of the child; None is the caller's own.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self._cwd = cwd
        self._env = dict(os.environ if env is None else env)
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; its log is appended to, so that a second start keeps what the first one said."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            self._child = subprocess.Popen(
                self.command,
                cwd=self._cwd,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,  # noqa: PLW1509 (one prctl call: safe with threads)
            )
        return self

    @property
    def pid(self) -> int:
        """The process id; ProcessError before the start."""
        if self._child is None:
            raise ProcessError(f"not started: {self.command}")
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs or before the start; negative when a signal ended it."""
        return self._child.poll() if self._child else None

    def output(self) -> str:
        """Everything it wrote so far, over all starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_ready(self, url: str, *, tls: ssl.SSLContext | None = None, timeout: float = 60) -> None:
        """Wait until `url` answers (https needs `tls`); errors as `wait_for`."""
        self.wait_for(lambda: answers(url, tls), f"{url} answers", timeout=timeout)

    def wait_output(self, text: str, *, timeout: float = 60) -> str:
        """Wait until the log has `text` and return the log; errors as `wait_for`."""
        self.wait_for(lambda: text in self.output(), f"log has {text!r}", timeout=timeout)
        return self.output()

    def wait(self, *, timeout: float = 60) -> int:
        """Wait for its end and return the exit code."""
        if self._child is None:
            raise ProcessError(f"not started: {self.command}")
        return self._child.wait(timeout)

    def stop(self, *, timeout: float = 10) -> int | None:
        """End it with SIGTERM, after `timeout` seconds with SIGKILL; returns the exit code."""
        if self._child is None:
            return None
        self._child.terminate()
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int | None:
        """End it with SIGKILL."""
        if self._child is None:
            return None
        self._child.kill()
        return self._child.wait()

    def wait_for(self, condition: Callable[[], bool], what: str, *, timeout: float = 60) -> None:
        """Poll `condition`; ProcessError if the process ends first, TimeoutError after `timeout` seconds."""

        def done() -> bool:
            if condition():
                return True
            if self.returncode is not None:
                raise ProcessError(f"{self.command[0]} ended ({self.returncode}) before: {what}\n{self.tail()}")
            return False

        try:
            wait_until(done, what, timeout=timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
