"""docs/federation.md says what the code does: findings, steps, commands, addresses, and what refusals mean."""

import re
from pathlib import Path

import pytest

from rekey import entra_advice, names
from tests.infra.guide import ROOT, shell_problems, untrue

PAGE = (ROOT / "docs" / "federation.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """Return what is below a heading."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of a section's table, its head left out."""
    lines = [line for line in section(heading).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_the_page_says_only_what_is_so() -> None:
    """Files, links, scripts, settings, commands with their options, and targets are all there."""
    assert untrue(PAGE) == []


def test_its_commands_are_sound_shell(tmp_path: Path) -> None:
    """All commands in their order are one script without a mistake."""
    assert shell_problems(PAGE, tmp_path) == ""


def test_every_finding_that_is_explained_can_be_found() -> None:
    """No row is of a code that the audit doesn't report, and no code has two."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rekey" / "connections").glob("*.py"))
    named = [code for row in rows("The findings") for code in re.findall(r"`([a-z-]+)`", row[0])]
    assert len(named) > 10
    assert len(named) == len(set(named))
    assert [code for code in named if f'"{code}"' not in sources] == []


def test_every_refusal_is_explained_in_the_codes_own_words() -> None:
    """What a code or a message means and what to do are the same on the page as in errors and mails."""
    by_code = {f"AADSTS{code}": advice for code, advice in entra_advice._BY_CODE.items()}
    by_words = {", ".join(f"*{one}*" for one in words): advice for words, advice in entra_advice._BY_WORDS}
    wanted = [[said, advice.means, advice.what_to_do] for said, advice in (by_code | by_words).items()]
    assert rows("What a refused sign-in means") == wanted


def test_every_step_of_a_walk_is_on_the_page() -> None:
    """Each step that a federation or a vending takes, forwards or back, is named, and none that isn't there."""
    source = (ROOT / "rekey" / "names.py").read_text(encoding="utf-8")
    between = source.partition('READ_CONNECTION = "')[2].partition("# What Rekey does on its own")[0]
    steps = {"read_connection", *re.findall(r'^[A-Z_]+ = "(\w+)"$', between, re.MULTILINE)}
    inner = {names.START_FEDERATION, names.START_VENDING, names.READ_FEDERATION_DECISIONS}
    told = set(re.findall(r"`([a-z]+(?:_[a-z]+)+|soak|approval)`", section("What happens, step by step")))
    assert told == steps - inner


@pytest.mark.parametrize("route", re.findall(r"`(?:POST|GET) (/api/[^`]+)`", PAGE))
def test_every_address_is_one_of_the_app(route: str) -> None:
    """What is asked over HTTP is what the app listens at."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "triggers").glob("*.py"))
    listened = {re.sub(r"\{\w+\}", "{}", one) for one in re.findall(r'route="([^"]+)"', sources)}
    asked = re.sub(r"\{\w+\}", "{}", route.removeprefix("/api/"))
    assert asked in listened or asked.replace("/approve", "/{}") in listened
