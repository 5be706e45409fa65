"""What docs/adding-a-kind.md tells a developer to do is done on a copy of the project, and has to work as it says."""

import json
import re
from pathlib import Path

import pytest

from tests.docs.performing import ROOT, copied, judged, run, steps, with_checked_types
from tests.docs.rotating_toys import SHELF

PAGE = (ROOT / "docs" / "adding-a-kind.md").read_text(encoding="utf-8")
KIND = "rekey/credentials/toy_key.py"
CONSUMER = "rekey/consumers/toy_shelf.py"
SIMULATION = "local/azure/arm_toys.py"
CONTRACTS = ("tests/credentials/test_toy_key.py", "tests/consumers/test_toy_shelf.py")
NEW = [step.path for step in steps(PAGE) if step.verb == "file"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project in which all is done that the page says."""
    made = copied(tmp_path_factory.mktemp("project"))
    for step in steps(PAGE):
        step.perform(made)
    return made


def test_only_the_files_that_belong_to_a_kind_are_touched() -> None:
    """A new kind is files of its own and a line here and there; no orchestrator, activity or trigger knows of it."""
    changed = {step.path for step in steps(PAGE) if step.verb == "edit"}
    assert set(NEW) == {KIND, CONSUMER, SIMULATION, *CONTRACTS}
    documentation = {"README.md", "docs/kinds.md", "docs/consumers.md"}
    simulation = {"local/azure/arm.py", "local/azure/arm_roles.py", "local/azure/seeding.py"}
    assert changed == {"rekey/registry.py"} | documentation | simulation


def test_the_kinds_of_the_page_keep_the_contracts(project: Path) -> None:
    """All that the page adds passes its tests, and what the documentation says of it is what it is."""
    documentation = ("tests/docs/test_kind_docs.py", "tests/rekey/test_check_tags.py")
    done = judged(project, *CONTRACTS, *documentation, "-k", "Toy or kind_docs or every_example")
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed(done.stdout) > 70


def test_the_tests_that_catch_mistakes_are_there() -> None:
    """Each test that the page promises is one of a contract."""
    contracts = [*(ROOT / "tests" / "credentials").glob("*.py"), *(ROOT / "tests" / "consumers").glob("*.py")]
    defined = {name for path in contracts for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))}
    promised = set(re.findall(r"`(test_\w+)`", PAGE))
    assert promised
    assert promised <= defined


def passed(said: str) -> int:
    """Return how many tests pytest says have passed."""
    found = re.search(r"(\d+) passed", said)
    return int(found[1]) if found else 0


@pytest.mark.exhaustive
def test_the_app_rotates_the_kinds_of_the_page(project: Path, tmp_path: Path) -> None:
    """Started by an event, the app as it is takes toy key and toy shelf from the first step to the last."""
    done = run(project, "tests.docs.rotating_toys", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    became = json.loads(done.stdout)
    assert became["result"] == "done"
    assert became["keys"] == [became["newest"]] != [became["old"]]
    assert became["shelf"] == SHELF | {"hooks": SHELF["hooks"] | {"left": became["newest"]}}


def test_the_code_of_the_page_is_as_the_projects(project: Path) -> None:
    """Formatted and linted as `make check` wants it."""
    for command in (("ruff", "format", "--check", *NEW), ("ruff", "check", *NEW)):
        done = run(project, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_of_the_page_has_types(project: Path) -> None:
    """Strictly typed: the interfaces of `rekey/ports.py` are kept."""
    with_checked_types(project)
    done = run(project, "mypy", "--no-error-summary", *NEW)
    assert done.returncode == 0, done.stdout + done.stderr


MISTAKES = {
    "retire does nothing": (
        KIND,
        '        """Remove the old key."""\n        await self._remove(rotation.object_id, key_id)\n',
        '        """Remove the old key."""\n',
        "test_old_value_works_until_it_is_retired",
    ),
    "removing twice is an error": (
        KIND,
        '            if error.code != "not-found":\n                raise\n',
        "            raise\n",
        "test_unknown_credential_is_gone_already",
    ),
    "the issuer chooses the end": (
        SIMULATION,
        'datetime.fromisoformat(asked["expires"])',
        'datetime.fromisoformat(asked["expires"]) + timedelta(days=365)',
        "test_new_credential_ends_when_it_was_asked_to",
    ),
    "a lost answer is asked for again": (
        KIND,
        '"addKey", asked, repeatable=False)).body',
        '"addKey", asked, repeatable=False)).body\n        await self._post(rotation.object_id, "addKey", asked)',
        "test_attempts_leave_one_new_credential",
    ),
    "what was made by hand is believed to be ours": (
        KIND,
        '(rotation.policy.adopt or old.label.startswith(names.label(self._deployment, "")))',
        "old.label",
        "test_key_made_by_hand_needs_consent",
    ),
    "only the known fields are written back": (
        CONSUMER,
        '{**read.body, "hooks": hooks}',
        '{"hooks": {place.item: hooks[place.item]}}',
        "test_update_changes_the_value_and_nothing_else",
    ),
    "another team's shelf is let in": (
        CONSUMER,
        "return bound(_place(uri), (TYPE,), vault, settings).uri",
        "return _place(uri).uri",
        "test_other_teams_uris_are_refused",
    ),
    "the value is quoted": (
        CONSUMER,
        'f"{target.uri} doesn\'t have the new value, or not yet"',
        'f"{target.uri} has {_hooks(read.body, place)}"',
        "test_old_hook_is_not_confirmed",
    ),
}


SAMPLE = {"retire does nothing"}
"""What the suite tries: each is a pytest of its own."""


@pytest.mark.parametrize(
    "mistake",
    [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.exhaustive) for name in MISTAKES],
)
def test_the_contracts_bite(project: Path, mistake: str) -> None:
    """A kind with that mistake fails the contract's test that is there for it, and no import or fixture before."""
    path, right, wrong, test = MISTAKES[mistake]
    file = project / path
    text = file.read_text(encoding="utf-8")
    assert text.count(right) == 1, right
    file.write_text(text.replace(right, wrong), encoding="utf-8")
    try:
        done = judged(project, *CONTRACTS, "-k", test)
    finally:
        file.write_text(text, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"^FAILED \S+::{test}\b", done.stdout, re.MULTILINE), done.stdout
