"""What is deployed: the app with its packages, complete, reproducible, and nothing that exists for development."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.package import (
    FILES,
    FOLDERS,
    PACKAGES,
    TARGET,
    UNPACKED,
    PackageError,
    app_files,
    build,
    install,
    lay_out,
    pack,
)
from tools.sbom import bill_of_materials, pinned

ROOT = Path(__file__).parents[2]
IMPORT = "import function_app; print(*sorted(f.get_function_name() for f in function_app.app.get_functions()))"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make package` fills, built for real once."""
    target = tmp_path_factory.mktemp("dist")
    build(ROOT, target)
    return target


@pytest.fixture(scope="module")
def names(built: Path) -> list[str]:
    """Every file in the archive."""
    with zipfile.ZipFile(built / "rekey.zip") as archive:
        assert archive.testzip() is None
        return archive.namelist()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the app's files and a lock of two small packages, by the hashes of the real lock."""
    folder = tmp_path / "project"
    lay_out(ROOT, folder)
    lock = (ROOT / "requirements.txt").read_text()
    wanted = [re.search(rf"^{name}==(?:.*\\\n)+.*\n", lock, re.MULTILINE) for name in ("h11", "hpack")]
    (folder / "requirements.txt").write_text("".join(found[0] for found in wanted if found))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def listed() -> list[str]:
    """Return every file that git knows or that is new."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in found if (ROOT / name).exists()]


def ignored(folder: Path) -> set[str]:
    """Return what .funcignore keeps out of a deployment by hand; git reads the same patterns."""
    shutil.copy(ROOT / ".funcignore", folder / ".gitignore")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    command = ["git", "check-ignore", "--no-index", "--stdin"]
    done = subprocess.run(command, cwd=folder, input="\n".join(listed()), capture_output=True, text=True, check=False)
    return set(done.stdout.splitlines())


def test_only_the_app_is_deployed(names: list[str], tmp_path: Path) -> None:
    """The archive has the app, its packages and nothing else; tools that read .funcignore take the same files."""
    app = {name for name in names if not name.startswith(PACKAGES)}
    assert {Path(name).parts[0] for name in app} == {*FILES, *FOLDERS}
    by_hand = set(listed()) - ignored(tmp_path) - {".funcignore", "LICENSE"}
    assert app == by_hand


def test_nothing_for_development_is_in_it(names: list[str]) -> None:
    """No test, tool, document, template, environment, setting or key of a developer is deployed."""
    tops = {Path(name).parts[0] for name in names}
    assert tops.isdisjoint({"local", "tests", "tools", "docs", "infra", ".venv", ".git", "dist", "pyproject.toml"})
    assert not [name for name in names if re.search(r"local\.settings|\.pyc$|/bin/|\.env$|\.lock$", name)]
    development = {"pytest", "hypothesis", "ruff", "mypy", "trustme", "azure_functions_runtime"}
    assert development.isdisjoint({Path(name.removeprefix(f"{PACKAGES}/")).parts[0] for name in names})


def test_it_has_everything_that_the_app_imports(built: Path) -> None:
    """Unpacked, with nothing else on its path, the function app loads and has the functions that it has here."""
    environment = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    here, there = (
        subprocess.run(
            [python, "-B", "-s", "-c", IMPORT],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(folder / PACKAGES)},
            capture_output=True,
            text=True,
            check=False,
        )
        # The Python that the environment was made from: it has no package of its own.
        for python, folder in ((sys.executable, ROOT), (sys._base_executable, built / "package"))  # type: ignore[attr-defined]
    )
    assert (here.returncode, there.returncode) == (0, 0), there.stderr or here.stderr
    assert there.stdout.split()
    assert there.stdout == here.stdout


def test_the_packages_are_those_of_the_lock(names: list[str], built: Path) -> None:
    """Each locked package is installed in its version; what the bill of materials names is what is there."""
    installed = {
        tuple(found.groups())
        for name in names
        if (found := re.match(rf"{PACKAGES}/([^/]+)-([^/-]+)\.dist-info/METADATA$", name))
    }
    locked = {
        (name.replace("-", "_").replace(".", "_"), version) for name, version in pinned(ROOT / "requirements.txt")
    }
    assert {(name.lower().replace(".", "_"), version) for name, version in installed} == locked
    bill = json.loads((built / "rekey.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert {one["purl"] for one in bill["components"]} == {
        f"pkg:pypi/{name}@{version}" for name, version in pinned(ROOT / "requirements.txt")
    }


def test_the_digest_beside_the_archive_is_its_own(built: Path) -> None:
    """Whoever carries the archive elsewhere can tell that it arrived whole."""
    done = subprocess.run(["sha256sum", "--check", "rekey.zip.sha256"], cwd=built, capture_output=True, check=False)
    assert done.returncode == 0


def test_the_same_source_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    """Built again elsewhere, later and with other permissions, the archive and its bill are the same bytes."""
    first = build(project, tmp_path / "one")
    for path in project.rglob("*.py"):
        path.touch()
        path.chmod(0o600)
    second = build(project, tmp_path / "elsewhere" / "two")
    assert first.read_bytes() == second.read_bytes()
    bills = [(archive.parent / "rekey.cdx.json").read_bytes() for archive in (first, second)]
    assert bills[0] == bills[1]


@pytest.mark.exhaustive
def test_all_of_it_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """With every package in it the archive is the same bytes again."""
    assert build(ROOT, tmp_path).read_bytes() == (built / "rekey.zip").read_bytes()


def test_another_hash_is_refused(project: Path, tmp_path: Path) -> None:
    """A package whose bytes aren't those that the lock names stops the build."""
    lock = project / "requirements.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", lock.read_text()))
    with pytest.raises(PackageError, match=r"(?i)the packages of requirements\.txt .*\n(?s:.*)hash"):
        install(lock, tmp_path / "package")


def test_a_package_without_a_hash_is_refused(project: Path, tmp_path: Path) -> None:
    """A line that names no hash stops the build."""
    (project / "requirements.txt").write_text("h11==0.16.0\n")
    with pytest.raises(PackageError, match="hash"):
        install(project / "requirements.txt", tmp_path / "package")


def test_a_file_that_is_not_the_apps_is_named(project: Path) -> None:
    """A key or a note in one of the app's folders stops the build instead of being deployed."""
    (project / "rekey" / "deploy.pem").write_text("-----BEGIN")
    with pytest.raises(PackageError, match=r"rekey/deploy\.pem: expected only \.html, \.py, \.txt in rekey/"):
        app_files(project)


def test_what_an_earlier_build_left_is_gone(project: Path, tmp_path: Path) -> None:
    """A file that is no longer the app's isn't deployed because it lay there from the last time."""
    (tmp_path / "package" / "rekey").mkdir(parents=True)
    (tmp_path / "package" / "rekey" / "old.py").write_text("")
    lay_out(project, tmp_path / "package")
    assert not (tmp_path / "package" / "rekey" / "old.py").exists()


def test_caches_are_not_packed(tmp_path: Path) -> None:
    """What an import of the unpacked package leaves behind stays out of the archive."""
    (tmp_path / "package" / "__pycache__").mkdir(parents=True)
    (tmp_path / "package" / "__pycache__" / "one.pyc").write_bytes(b"")
    (tmp_path / "package" / "one.py").write_text("")
    pack(tmp_path / "package", tmp_path / "one.zip")
    assert zipfile.ZipFile(tmp_path / "one.zip").namelist() == ["one.py"]


def test_the_bill_is_only_about_the_lock(tmp_path: Path) -> None:
    """Comments, hashes and markers are no packages."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("one==1.0 \\\n    --hash=sha256:00\n    # via two==2.0\nthree-four==3.0rc1 ; x == 'y' \\\n")
    assert pinned(lock) == [("one", "1.0"), ("three-four", "3.0rc1")]
    assert "pkg:pypi/three-four@3.0rc1" in bill_of_materials(lock, "rekey", "1")


def test_azd_deploys_what_was_packed() -> None:
    """The service of azure.yaml takes the folder that `make package` fills as it is, into the tagged function app."""
    lines = {line.split(" #")[0].strip() for line in (ROOT / "azure.yaml").read_text().splitlines()}
    assert {"rekey:", "project: .", f"dist: {TARGET / UNPACKED}", "host: function", "language: python"} <= lines
    assert {"remoteBuild: false", "run: make package"} <= lines
    assert "'azd-service-name': service" in (ROOT / "infra" / "app" / "function-app.bicep").read_text()
    main = (ROOT / "infra" / "main.bicep").read_text()
    assert main.count("    service: 'rekey'\n") == 1
