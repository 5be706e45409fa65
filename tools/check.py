"""Runs every check that needs no running app, all of them even when one fails, and names what failed."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = ("function_app.py", "triggers", "orchestrators", "activities", "rekey", "local", "tests", "tools")
# Its script holds the absolute path it was installed at, and the package has no __main__.
SCRIPTS = ("tools/*.sh", "infra/scripts/*.sh")
LINT_IMPORTS = "from importlinter.cli import lint_imports_command as run; run()"


@dataclass(frozen=True)
class Check:
    """One command; it passes when it exits 0, and says nothing more in that case."""

    name: str
    command: tuple[str, ...]


def _module(name: str, module: str, *arguments: str) -> Check:
    return Check(name, (sys.executable, "-m", module, *arguments))


def shell(root: Path) -> Check:
    """The check of every shell script: with what it sources, and down to remarks on style."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    scripts = (str(path.relative_to(root)) for pattern in SCRIPTS for path in sorted(root.glob(pattern)))
    return Check("shell", (str(shellcheck), "--external-sources", *scripts))


def checks(root: Path) -> tuple[Check, ...]:
    """All checks, over those of the project's folders that exist."""
    code = tuple(path for path in CODE if any((root / path).glob("**/*.py")) or (root / path).is_file())
    imports = Check("imports", (sys.executable, "-c", LINT_IMPORTS, "--no-logo"))
    return (
        _module("format", "ruff", "format", "--check", "--quiet", "--output-format", "concise", "."),
        _module("lint", "ruff", "check", "--quiet", "--output-format", "concise", "."),
        _module("rules", "tools.lint"),
        *((imports,) if (root / "function_app.py").exists() else ()),
        _module("types", "mypy", "--no-error-summary", *code),
        shell(root),
        _module("locks", "tools.lock", "--check"),
    )


def _passes(check: Check) -> bool:
    started = time.monotonic()
    done = subprocess.run(
        check.command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    verdict = "FAILED" if done.returncode else "ok"
    print(f"check: {check.name:8} {verdict:6} {time.monotonic() - started:5.1f} s", flush=True)
    if done.returncode:
        print(f"{done.stdout}{done.stderr}".rstrip(), flush=True)
    return not done.returncode


def main(names: list[str]) -> int:
    """Run the checks named, or all; 1 if one failed, 2 for a name that doesn't exist."""
    known = checks(ROOT)
    unknown = set(names) - {check.name for check in known}
    if unknown:
        print(f"check: no check is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    failed = [check.name for check in known if (not names or check.name in names) and not _passes(check)]
    if failed:
        print(f"check: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
