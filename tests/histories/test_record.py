"""The recorder adds what is missing and leaves alone what instances in flight have behind them."""

from pathlib import Path

import pytest

from tests.histories.record import NEW, OTHER, REPLACED, SAME, folder_of, main, record
from tests.histories.recorded import History
from tests.histories.virtual import recordings


@pytest.fixture
def histories() -> list[History]:
    """Return two histories."""
    every = recordings("1.0")
    return [next(every), next(every)]


def test_what_is_missing_is_added(histories: list[History], tmp_path: Path) -> None:
    """A new folder gets every history, and running again finds them as they are."""
    assert {outcome for _, outcome in record(histories, tmp_path / "v2")} == {NEW}
    assert {outcome for _, outcome in record(histories, tmp_path / "v2")} == {SAME}


def test_a_recorded_history_is_never_overwritten(histories: list[History], tmp_path: Path) -> None:
    """A file that differs from what happens now stays, and is named."""
    written = dict(record(histories, tmp_path))
    path = tmp_path / f"{histories[0].name}.json"
    path.write_text("released", encoding="utf-8")
    assert dict(record(histories, tmp_path)) == {**dict.fromkeys(written, SAME), histories[0].name: OTHER}
    assert path.read_text(encoding="utf-8") == "released"


def test_replace_overwrites(histories: list[History], tmp_path: Path) -> None:
    """Until a version is released its files may be recorded anew."""
    list(record(histories, tmp_path))
    path = tmp_path / f"{histories[0].name}.json"
    path.write_text("draft", encoding="utf-8")
    assert dict(record(histories, tmp_path, replace=True))[histories[0].name] == REPLACED
    assert path.read_text(encoding="utf-8") == histories[0].text


def test_the_command_says_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names each history with what became of it."""
    monkeypatch.setattr("tests.histories.record.FOLDER", tmp_path)
    for _ in range(2):
        assert main(["2.0", "--only", "done-one-consumer"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "v2/done-one-consumer: recorded",
        "v2/done-one-consumer: as recorded",
    ]
    assert '"version": "2.0"' in (tmp_path / "v2" / "done-one-consumer.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(("version", "folder"), [("1.0", "v1"), ("2", "v2"), ("12.0", "v12")])
def test_a_version_has_its_folder(version: str, folder: str) -> None:
    """The folder is the version's whole number."""
    assert folder_of(version) == folder


@pytest.mark.parametrize("version", ["1.1", "one", "", "-1.0"])
def test_a_version_between_has_none(version: str) -> None:
    """A default version that no folder could have is refused with what was expected."""
    with pytest.raises(ValueError, match=f"defaultVersion: got '{version}', expected a whole number"):
        folder_of(version)
