"""docs/coverage.md says where each requirement is met and what holds it; a name that isn't there is no promise."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "coverage.md"
FILE = re.compile(r"`([\w./-]+(?:/|\.\w+))`")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
TABLES = 6
"""Five articles, and what none of them asks for."""


def rows() -> list[list[str]]:
    """Return the cells of every requirement: what, where, test."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "requirement"]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_each_requirement_names_what_exists(row: list[str]) -> None:
    """A requirement has a file and a test that are there, or says plainly that it isn't built yet or why it is not."""
    what, where, held = row
    assert all(row), what
    for name in FILE.findall(where):
        assert (ROOT / name).exists() or "not yet" in held, name
    tests = TEST.findall(held)
    for path, test in tests:
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{test}"
    built = bool(tests) and bool(FILE.search(where))
    assert built or held.startswith(("not yet", "on purpose: ")), what


def test_every_article_has_its_table_and_the_rest_one() -> None:
    """The rows are found at all, so that the check above checks something."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == TABLES
    assert len(rows()) > 40
