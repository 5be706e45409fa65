"""`python -m rekey check-tags`: what people see before they put tags on a secret."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rekey.__main__ import main
from tests.rekey.toys import APP, ENVIRONMENT, FOREIGN_APP

ROOT = Path(__file__).parents[2]
CANARY = "canary-77~value"
TAGS = {"rekey-credential": f"entra-app-password:{APP}", "rekey-grace": "P3D"}
SECRET = {
    "attributes": {"enabled": True},
    "id": "https://kv-shop.vault.azure.net/secrets/build-sp/0123456789abcdef0123456789abcdef",
    "tags": TAGS,
    "value": CANARY,
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*ENVIRONMENT, "REKEY_CLOUD"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def in_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment the app has."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def check(content: object, path: Path, *more: str) -> int:
    """Run the command on a file with that content."""
    file = path / "tags.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return main(["check-tags", str(file), *more])


def test_good_tags_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting is a readable line, those that no tag says marked as defaults."""
    assert check(TAGS, tmp_path) == 0
    out = capsys.readouterr().out
    assert f"entra-app-password:{APP}" in out
    assert re.search(r"grace +3 days, P3D", out)
    assert "(default)" not in next(line for line in out.splitlines() if "grace" in line)
    assert re.search(r"lifetime +180 days, P180D \(default\)", out)
    assert re.search(r"approval +not required \(default\)", out)


def test_the_older_tags_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tags people already have, read by the real kinds, show the connection that will be told."""
    tags = {
        "azureADAppId": APP,
        "azureDevOpsAccountUrl": "https://contoso.visualstudio.com/",
        "azureDevOpsProjectName": "Web Shop",
        "azureDevOpsConnectionName": "prod (west)",
        "SecretDurationInMonths": "12",
    }
    assert check(tags, tmp_path) == 0
    out = capsys.readouterr().out
    assert "azdo-service-connection://contoso/Web%20Shop/prod%20%28west%29" in out
    assert "12 months" in out


def test_what_is_not_checked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the app's settings the check says on standard error what it could not look at."""
    assert check(TAGS, tmp_path) == 0
    err = capsys.readouterr().err
    assert "scopes not checked: REKEY_SCOPES is not set" in err
    assert "mail domains not checked: REKEY_MAIL_DOMAINS is not set" in err


def test_a_capped_lead_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lead longer than a third of the lifetime is shown as what it will be."""
    assert check(TAGS | {"SecretDurationInMonths": "1"}, tmp_path) == 0
    assert "capped to a third of the lifetime" in capsys.readouterr().out


def test_each_bad_tag_gets_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a bad tag: its name, its value, what was expected."""
    assert check(TAGS | {"rekey-lead": "soon", "rekey-lifetme": "P9D", "rekey-owners": "ann\x1b[31m"}, tmp_path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert any("rekey-lead: got 'soon', expected an ISO 8601 duration" in line for line in lines)
    assert any("rekey-lifetme: got 'P9D'" in line and "did you mean rekey-lifetime?" in line for line in lines)
    assert all("\x1b" not in line for line in lines)


def test_what_az_prints_is_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output of `az keyvault secret show` names its vault and secret, and its value is never repeated."""
    assert check(SECRET, tmp_path) == 0
    assert check(SECRET | {"tags": {"rekey-lead": "x"}}, tmp_path) == 1
    shown = capsys.readouterr()
    assert "kv-shop/build-sp: understood" in shown.out
    assert CANARY not in shown.out + shown.err


def test_a_list_is_judged_as_a_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets of others in a list are no failure, as long as one is understood and none is bad."""
    assert check([SECRET, SECRET | {"tags": None}, {"team": "shop"}], tmp_path) == 0
    assert check([SECRET, TAGS | {"rekey-lead": "x"}], tmp_path) == 1
    assert capsys.readouterr().out.count("no rotation policy") == 2


@pytest.mark.parametrize("content", [{}, {"team": "shop"}, [], SECRET | {"tags": None}])
def test_no_policy_at_all_is_a_failure(content: object, tmp_path: Path) -> None:
    """Tags that Rekey would ignore are not what anybody wants checked."""
    assert check(content, tmp_path) == 1


@pytest.mark.usefixtures("in_scope")
def test_scopes_are_checked_where_they_are_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the app's settings at hand, what another team may name is refused, by the vault az says or --vault."""
    foreign = {"rekey-credential": f"entra-app-password:{FOREIGN_APP}"}
    assert check(SECRET, tmp_path) == 0
    assert "not checked" not in capsys.readouterr().err
    assert check(SECRET | {"tags": foreign}, tmp_path) == 1
    assert check(foreign, tmp_path, "--vault", "kv-shop") == 1
    assert check(foreign, tmp_path, "--vault", "kv-other") == 0
    assert check(foreign, tmp_path, "--vault", "kv-rogue") == 1
    assert "kv-rogue" in capsys.readouterr().out


@pytest.mark.usefixtures("in_scope")
def test_scopes_need_a_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tags alone don't say their vault: the note says how to."""
    assert check(TAGS, tmp_path) == 0
    assert "--vault NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    ["", "{", "canary-77~value", "7", '"x"', '{"rekey-lead": 7}', '{"tags": {"a": null}}', "[[]]", "[" * 9999],
)
def test_an_unreadable_file_is_named(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no JSON, or no tags, ends with 2 and the file's name, and nothing of its content."""
    assert check(content, tmp_path) == 2
    shown = capsys.readouterr()
    assert "tags.json: " in shown.err
    assert "canary" not in shown.out + shown.err.replace(str(tmp_path), "")


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that isn't there, or is a folder, ends with 2 and its name."""
    assert main(["check-tags", str(tmp_path / "nowhere.json")]) == 2
    assert main(["check-tags", str(tmp_path)]) == 2
    assert "nowhere.json: No such file" in capsys.readouterr().err


def test_a_bad_setting_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that can't be used is no reason to check less: it ends with 2 and its name."""
    monkeypatch.setenv("REKEY_SCOPES", "{")
    assert check(TAGS, tmp_path) == 2
    assert "REKEY_SCOPES" in capsys.readouterr().err


def run(*arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command as people do."""
    return subprocess.run(
        [sys.executable, "-m", "rekey", *arguments],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k not in ENVIRONMENT} | environ,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_standard_input_is_read_and_any_terminal_will_do() -> None:
    """`-` reads standard input; a terminal that knows ASCII only gets escapes instead of a traceback."""
    bad = {"rekey-credential": f"entra-app-password:{APP}", "rekey-owners": "\u00e4nn"}
    done = run("check-tags", "-", stdin=json.dumps(bad), PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert "\\xe4nn" in done.stdout
    assert "Traceback" not in done.stderr


def test_help_says_what_to_do() -> None:
    """`--help` names the command, its file and its exit codes; no command at all is refused."""
    done = run("check-tags", "--help")
    assert done.returncode == 0
    for word in ("FILE", "--vault", "az keyvault secret show", "REKEY_SCOPES", "Exit code"):
        assert word in done.stdout
    assert run().returncode == 2


def test_checking_tags_needs_no_sdk() -> None:
    """A check loads neither msgraph nor azure-identity: it is to be quick, and to work where they don't."""
    source = """
import sys
from rekey.__main__ import main
main(["check-tags", "-"])
print(sorted({"msgraph", "azure.identity", "azure.keyvault", "azure.storage", "azure.functions"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, input=json.dumps(TAGS), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


FENCED = re.compile(r"^[ ]*```json tags[ ]*\n(?P<tags>.*?)^[ ]*```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Return the pages that may hold examples of tags."""
    return [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))) if page.exists()]


def examples() -> Iterator[tuple[str, str]]:
    """Return every fenced block marked `json tags`, with where it is."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for found in FENCED.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{page.relative_to(ROOT)}:{line}", found["tags"]


@pytest.mark.parametrize(("where", "tags"), [pytest.param(w, t, id=w) for w, t in examples()])
def test_every_example_of_tags_is_good(
    where: str, tags: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What people copy from the documentation is understood as it stands."""
    assert check(tags, tmp_path) == 0, f"{where}: {capsys.readouterr()}"


def test_the_readme_has_examples_of_tags() -> None:
    """There is something to copy, marked so that the test above finds it."""
    if not (ROOT / "README.md").exists():
        pytest.skip("README.md is not written yet")
    assert any(where.startswith("README.md") for where, _ in examples())


def test_marked_blocks_are_found() -> None:
    """The marker is found where Markdown allows it, and blocks without it are left alone."""
    text = '```json tags\n{"a": "b"}\n```\n\n- item\n\n  ```json tags\n  {}\n  ```\n\n```json\n{"not": "tags"}\n```\n'
    assert [found["tags"].strip() for found in FENCED.finditer(text)] == ['{"a": "b"}', "{}"]
