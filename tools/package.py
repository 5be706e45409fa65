"""Builds what is deployed: the app with its locked packages for Linux and Python 3.13, the same bytes each time.

Azure builds nothing: what runs there is what was packed here, package by package with the hash that the lock names.
"""

import argparse
import shutil
import subprocess
import sys
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

from tools.sbom import bill_of_materials, pinned

ROOT = Path(__file__).parent.parent
FILES = ("function_app.py", "host.json", "requirements.txt")
FOLDERS = ("activities", "orchestrators", "rekey", "triggers")
SUFFIXES = frozenset({".py", ".html", ".txt"})
"""What belongs to the app in its folders; documents are left out, anything else is refused."""
LEFT_OUT = frozenset({".md", ".pyc"})
PACKAGES = ".python_packages/lib/site-packages"
"""Where the worker looks: https://learn.microsoft.com/azure/azure-functions/python-build-options"""
# The image that runs Python 3.13 in Azure has glibc 2.36; wheels of this tag need 2.28.
PLATFORM = "x86_64-manylinux_2_28"
TARGET, UNPACKED = Path("dist"), "package"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class PackageError(Exception):
    """The package can't be built; the message says what to do."""


def app_files(root: Path) -> list[str]:
    """Return the app's files below `root`, sorted; PackageError for one that doesn't look like one of them."""
    found = list(FILES)
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            name = path.relative_to(root).as_posix()
            if path.is_dir() or path.suffix in LEFT_OUT:
                continue
            if path.suffix not in SUFFIXES:
                expected = ", ".join(sorted(SUFFIXES))
                raise PackageError(f"{name}: expected only {expected} in {folder}/: should this be deployed?")
            found.append(name)
    return sorted(found)


def lay_out(root: Path, folder: Path) -> None:
    """Copy the app's files into `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in app_files(root):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)


def install(lock: Path, folder: Path) -> None:
    """Install a lock's packages below `folder`: wheels only, each held to its hash; PackageError.

    What set-up has downloaded already is taken from uv's cache: no registry is needed for it.
    """
    target = folder / PACKAGES
    command = (
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--system-certs", "--target", str(target)),
        *("--python", sys.executable, "--python-version", "3.13", "--python-platform", PLATFORM),
        *("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(lock)),
    )
    done = subprocess.run((*command, "--offline"), capture_output=True, text=True, check=False)
    if done.returncode:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"the packages of {lock.name} could not be installed:\n{done.stderr.strip()}")
    _forget_machine(target)


def _forget_machine(packages: Path) -> None:
    """Remove what names this machine: commands begin with the path of its Python, and RECORD has their hashes."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    (packages / ".lock").unlink(missing_ok=True)
    for record in packages.glob("*.dist-info/RECORD"):
        kept = [line for line in record.read_text().splitlines() if not line.startswith("bin/")]
        record.unlink()  # it may be a link into uv's cache
        record.write_text("".join(f"{line}\n" for line in sorted(kept)))


def pack(folder: Path, archive: Path) -> str:
    """Write a folder's files into an archive, in order and without times; return its SHA-256."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix: the next line is about its permissions
            entry.external_attr = (0o100755 if path.stat().st_mode & 0o100 else 0o100644) << 16
            packed.writestr(entry, path.read_bytes())
    return sha256(archive.read_bytes()).hexdigest()


def build(root: Path, target: Path) -> Path:
    """Write `package/`, `rekey.zip` and `rekey.cdx.json` into `target`; return the archive; PackageError."""
    if sys.platform != "linux" or sys.version_info[:2] != (3, 13):
        here = f"{sys.platform}, Python {sys.version_info[0]}.{sys.version_info[1]}"
        raise PackageError(f"this is {here}: the package is built on Linux (WSL will do) with Python 3.13")
    lay_out(root, target / UNPACKED)
    install(root / "requirements.txt", target / UNPACKED)
    digest = pack(target / UNPACKED, target / "rekey.zip")
    (target / "rekey.zip.sha256").write_text(f"{digest}  rekey.zip\n")
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    (target / "rekey.cdx.json").write_text(bill_of_materials(root / "requirements.txt", "rekey", version))
    return target / "rekey.zip"


def _run(target: Path) -> int:
    try:
        archive = build(ROOT, target)
    except PackageError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    count = len(pinned(ROOT / "requirements.txt"))
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, {count} packages by hash; sha256 beside it")
    print(f"{target / 'package'}: the same, unpacked; {target / 'rekey.cdx.json'}: what it contains (CycloneDX)")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=__doc__)
    parser.add_argument("--target", type=Path, default=TARGET, help="the folder to write to (default: dist)")
    sys.exit(_run(parser.parse_args().target))
