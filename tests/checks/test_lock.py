"""Whether a stale or uncheckable lock is told from a good one; none of it needs a network."""

from pathlib import Path

import pytest

from tools.lock import LOCKS, LockError, compile_locks, stale_locks

PROJECT = """
[project]
name = "sample"
version = "1"
requires-python = ">=3.13"
dependencies = [{dependencies}]
[project.optional-dependencies]
dev = []
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Port 9 answers nobody: a registry out of reach, without waiting for a time-out.
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(dependencies=""))
    return folder


def test_fresh_locks_are_not_stale(project: Path) -> None:
    """What was just compiled compiles to the same again."""
    compile_locks(project)
    assert stale_locks(project) == []


def test_a_changed_lock_is_stale_and_stays_as_it_is(project: Path) -> None:
    """A lock that compiling would change is named, and the check changes nothing."""
    compile_locks(project)
    (project / LOCKS[1]).write_text("left-over==1.0\n")
    assert stale_locks(project) == [LOCKS[1]]
    assert (project / LOCKS[1]).read_text() == "left-over==1.0\n"


def test_an_unreachable_registry_is_said_in_a_sentence(project: Path) -> None:
    """Without its registry the check fails, and says that this is why."""
    compile_locks(project)
    (project / "pyproject.toml").write_text(PROJECT.format(dependencies='"msgspec"'))
    with pytest.raises(LockError, match=r"^requirements\.txt .* cannot reach the package registry from here\.$"):
        stale_locks(project)


def test_the_locks_record_no_download_address() -> None:
    """Locks hold hashes and no addresses: one machine's mirror is nothing to another."""
    root = Path(__file__).parents[2]
    for lock in LOCKS:
        text = (root / lock).read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
    assert '"resolved"' not in (root / "local" / "azurite" / "package-lock.json").read_text()
