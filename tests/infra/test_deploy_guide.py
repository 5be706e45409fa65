"""docs/deploy.md names only what exists, and misses no permission."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rekey import names
from tests.infra.guide import ROOT, problems, shell_problems

GUIDE = (ROOT / "docs" / "deploy.md").read_text()


def test_the_guide_says_only_what_is_so() -> None:
    """Steps, files, links, options, parameters, outputs, settings, commands, targets and permissions are all there."""
    assert problems(GUIDE) == []


def test_its_commands_are_sound_shell(tmp_path: Path) -> None:
    """All commands in their order are one script without a mistake: no variable is used before it is set."""
    assert shell_problems(GUIDE, tmp_path) == ""
    assert "SC2154" in shell_problems(GUIDE.replace("group=rg-rekey ", ""), tmp_path)


@pytest.mark.parametrize(
    ("said", "instead", "problem"),
    [
        ("## 7. ", "## 8. ", "expected steps 1 to 12"),
        (
            "**You should see** `Tokens are for",
            "There is `Tokens are for",
            "step 3. Register the operator API doesn't say",
        ),
        ("`infra/app/vault.bicep`", "`infra/app/vaults.bicep`", "infra/app/vaults.bicep doesn't exist"),
        ("changing-an-orchestrator.md", "changing.md", "changing.md doesn't exist"),
        ("README.md#parameters", "README.md#params", "../infra/README.md has no section #params"),
        ("own-applications.sh --identity", "own-applications.sh --id", "own-applications.sh takes no --id"),
        ("`mailDomainVerified`", "`mailDomainIsVerified`", "main.bicep has no mailDomainIsVerified"),
        ("(output operatorApi)", "(output apiAddress)", "main.bicep has no output apiAddress"),
        ("export REKEY_API\n", "export REKEY_URL\n", "nothing reads REKEY_URL"),
        ("-m rekey plan", "-m rekey preview", "python -m rekey preview doesn't exist"),
        ("-m rekey list --key-file", "-m rekey list --key", "python -m rekey list takes no --key"),
        ("-m tools.deploy --resource-group", "-m tools.deploy --group", "python -m tools.deploy takes no --group"),
        ("make package", "make zip", "make has no target zip"),
        ("| Logic App Contributor |", "| Contributor |", "the table doesn't have Logic App Contributor"),
        ("| Website Contributor |", "| Website Contributor, Reader |", "site-access.bicep doesn't assign Reader"),
    ],
)
def test_a_mistake_in_it_is_found(said: str, instead: str, problem: str) -> None:
    """Each kind of statement is really looked at."""
    assert said in GUIDE
    assert any(problem in one for one in problems(GUIDE.replace(said, instead)))


def test_its_tags_can_be_used() -> None:
    """The tags that the guide has people set are a policy that Rekey understands."""
    command = re.search(r"set-attributes.*?--tags \\\n(.*?)\naz ", GUIDE, re.DOTALL)
    assert command
    tags = dict(word.split("=", 1) for word in command[1].replace("\\", " ").split())
    asked = [sys.executable, "-m", "rekey", "check-tags", "-"]
    done = subprocess.run(asked, cwd=ROOT, input=json.dumps(tags), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "entra-app-password" in done.stdout


def test_its_steps_and_functions_exist() -> None:
    """The table names steps of the runbook; the functions that one should see are functions of the app."""
    table = GUIDE.partition("## Permissions, and why")[2].partition("\n## ")[0]
    steps = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    named = {word for line in table.splitlines()[5:] for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", line)}
    assert named <= steps
    assert {"set_secret_version", "retire_old_credential"} <= named
