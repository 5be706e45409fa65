"""The threat model names tests; a name that nobody can run is a promise that nobody holds."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(test_\w+|tests/[\w/]+(?:\.py)?)`")


def named() -> list[str]:
    """Return what docs/threat-model.md points to in tests."""
    return sorted(set(NAMED.findall((ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8"))))


def defined() -> set[str]:
    """Return the names of all tests there are."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    return {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}


@pytest.mark.parametrize("name", named())
def test_what_the_threat_model_points_to_exists(name: str) -> None:
    """Every test, file and folder that the threat model names can be found."""
    assert (ROOT / name).exists() if "/" in name else name in defined()


def test_the_threat_model_points_to_tests() -> None:
    """The names are found at all, so that the check above checks something."""
    assert len(named()) > 20
