"""What set-up does on machines unlike this one: shims that answer 127, missing and outdated programs."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN_PROGRAMS = ("bash", "cat", "cut", "dirname", "env", "ls", "sha256sum", "shasum", "sort")


class Machine:
    """A copy of tools/ with a PATH and a home directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home, self.bin = folder / "project", folder / "home", folder / "bin"
        for path in (self.root, self.home, self.bin):
            path.mkdir()
        shutil.copytree(ROOT / "tools", self.root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        (self.root / "requirements-dev.txt").write_text("# nothing\n")
        for program in PLAIN_PROGRAMS:
            if found := shutil.which(program):
                (self.bin / program).symlink_to(found)

    @property
    def packages(self) -> Path:
        return self.root / ".venv" / "lib" / "python3.13" / "site-packages"

    def program(self, name: str, text: str, folder: Path | None = None) -> Path:
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{text}\n")
        path.chmod(0o755)
        return path

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "tools" / script],
            env={"PATH": str(self.bin), "HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def with_python_installed(self) -> None:
        stamp = sha256((self.root / "requirements-dev.txt").read_bytes()).hexdigest()
        self.program("python", f'exec "{sys.executable}" "$@"', self.root / ".venv" / "bin")
        self.packages.mkdir(parents=True)
        (self.root / ".venv" / "installed").write_text(f"{stamp}\n")

    def with_azurite_locked(self) -> Path:
        azurite = self.root / "local" / "azurite"
        azurite.mkdir(parents=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(ROOT / "local" / "azurite" / name, azurite / name)
        return azurite


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_shim_that_answers_127_is_passed_over(machine: Machine) -> None:
    """A python3.13 that can't run gives way to the newest real one among pyenv's versions."""
    machine.program("python3.13", "exit 127")
    machine.program("python3", "exit 127")
    machine.program("pyenv", f'[ "$1" = root ] && echo "{machine.home}/pyenv"')
    versions = machine.home / "pyenv" / "versions"
    machine.program("python3.13", "exit 1", versions / "3.13.9" / "bin")
    machine.program("python3.13", f'exec "{sys.executable}" "$@"', versions / "3.13.0" / "bin")
    done = machine.run("find_python.sh")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).samefile(sys.executable)


def test_uv_is_asked_last(machine: Machine) -> None:
    """Where uv knows a Python 3.13 that nothing else has, that one is taken."""
    hidden = machine.program("python", f'exec "{sys.executable}" "$@"', machine.home / "hidden")
    machine.program("uv", f'[ "$1 $2" = "python find" ] && echo "{hidden}"')
    done = machine.run("find_python.sh")
    assert Path(done.stdout.strip()).samefile(sys.executable)


def test_no_python_is_one_sentence(machine: Machine) -> None:
    """Without any Python 3.13 set-up ends with one line that says how to get it."""
    done = machine.run("setup.sh")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "pyenv install 3.13" in done.stderr


@pytest.mark.parametrize(
    ("node", "said"), [("exit 127", "node is missing"), ("echo v18.20.0", "node 18.20.0 is too old")]
)
def test_a_missing_or_old_node_is_one_sentence(machine: Machine, node: str, said: str) -> None:
    """Without Node.js 20 set-up ends with one line that says so."""
    machine.with_python_installed()
    machine.program("node", node)
    done = machine.run("setup.sh")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr


def test_the_project_is_importable_from_any_folder(machine: Machine) -> None:
    """`python -m local.host` is found by .venv's Python wherever a function app lies."""
    machine.with_python_installed()
    machine.program("node", "exit 127")
    machine.run("setup.sh")
    assert (machine.packages / "rekey-local.pth").read_text() == f"{machine.root}\n"


def test_npm_runs_once_per_lock(machine: Machine) -> None:
    """The second set-up does nothing and says nothing; a changed lock makes npm run again."""
    machine.with_python_installed()
    azurite = machine.with_azurite_locked()
    machine.program("node", "echo v20.1.0")
    machine.program(
        "npm", '[ "$1" = ci ] || exit 0\necho noise\n: > ran.$$\n[ -d node_modules ] || "$MKDIR" node_modules'
    )
    (azurite / "node_modules").mkdir()
    outputs = [machine.run("setup.sh") for _ in range(2)]
    assert [done.returncode for done in outputs] == [0, 0], outputs
    assert "Azurite" in outputs[0].stdout
    assert "noise" not in outputs[0].stdout
    assert outputs[1].stdout == outputs[1].stderr == ""
    (azurite / "package-lock.json").write_text("{}")
    assert machine.run("setup.sh").returncode == 0
    assert len(list(azurite.glob("ran.*"))) == 2


def test_an_unreachable_npm_registry_is_said(machine: Machine) -> None:
    """Where npm fails, its own message is followed by a sentence, and the next set-up tries again."""
    machine.with_python_installed()
    azurite = machine.with_azurite_locked()
    machine.program("node", "echo v20.1.0")
    machine.program("npm", '[ "$1" = ci ] && { echo "npm error network" >&2; exit 1; }; exit 0')
    done = machine.run("setup.sh")
    assert done.returncode == 1
    assert "is the npm registry reachable?" in done.stderr
    assert not (azurite / "node_modules").exists()


@pytest.mark.parametrize("target", ["demo", "up", "test", "check", "bench", "lock", "package"])
def test_every_target_sets_up_first(target: str) -> None:
    """Each target can be the first thing run in a fresh clone."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    planned = subprocess.run(
        ["make", "--dry-run", target, "ARGS=--given"], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert planned[0] == "tools/setup.sh"
    assert planned[1].startswith(".venv/bin/python -m ")
    assert planned[1].endswith("--given")
