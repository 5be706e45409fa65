"""Compiles requirements.txt and requirements-dev.txt from pyproject.toml, and knows when they are stale."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
EXTRA_ARGUMENTS = {"requirements-dev.txt": ("--extra", "dev", "-c", "requirements.txt")}
UNREACHABLE = ("dns error", "error sending request", "Failed to fetch", "Could not connect", "timed out")


class LockError(Exception):
    """The locks are stale or could not be compiled; the message says what to do."""


def compile_locks(folder: Path, arguments: tuple[str, ...] = ()) -> None:
    """Write both locks in `folder`, which holds pyproject.toml; versions already pinned there stay pinned.

    Raises LockError where the registry cannot be reached or no set of versions fits.
    """
    for lock in LOCKS:
        command = (
            *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--quiet", "--system-certs"),
            *("--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links"),
            *("--python-version", "3.13", "--python-platform", "linux", "-o", lock),
            *EXTRA_ARGUMENTS.get(lock, ()),
            *arguments,
        )
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LockError(_explain(lock, done.stderr))


def stale_locks(root: Path) -> list[str]:
    """Name the locks that compiling `root`'s pyproject.toml again would change; `root` stays as it is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("pyproject.toml", *LOCKS):
            shutil.copy(root / file, folder / file)
        compile_locks(folder)
        return [lock for lock in LOCKS if (folder / lock).read_bytes() != (root / lock).read_bytes()]


def _explain(lock: str, message: str) -> str:
    if any(sign in message for sign in UNREACHABLE):
        return f"{lock} could not be compiled: uv cannot reach the package registry from here."
    return f"{lock} could not be compiled:\n{message.strip()}"


def _run(arguments: tuple[str, ...], *, check: bool) -> int:
    try:
        if not check:
            compile_locks(ROOT, arguments)
            return 0
        stale = stale_locks(ROOT)
    except LockError as error:
        print(error, file=sys.stderr)
        return 1
    for lock in stale:
        print(f"{lock} is stale: run make lock", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 where a lock is stale")
    options, others = parser.parse_known_args()
    sys.exit(_run(tuple(others), check=options.check))
