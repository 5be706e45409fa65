"""Instances in flight survive an upgrade: what was recorded of them replays on the present orchestrators."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from local.secret_forms import find
from orchestrators import attempts, rotate_secret
from rekey import due
from rekey.model import encode
from tests.histories.record import folder_of
from tests.histories.recorded import FOLDER, History, folders, read, read_all
from tests.histories.replaying import differences, registered
from tests.histories.virtual import default_version

HISTORIES = read_all()
BYTES = 1_600_000
"""All versions together stay readable."""


@pytest.fixture(scope="module")
def done() -> History:
    """Return a rotation that waited for days in its grace, with a consumer and retries."""
    return read(FOLDER / "v1" / "busy-everywhere.json")


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
def test_every_recorded_history_replays(history: History) -> None:
    """After every episode of a recorded instance the present code decides what the code of then decided, repeatably."""
    assert list(differences(history, registered())) == []


def test_every_orchestrator_has_a_recorded_history() -> None:
    """What function_app can start is in the newest version's folder."""
    newest = {read(path).orchestrator for path in folders()[-1].glob("*.json")}
    assert set(registered()) <= newest, "record one: docs/changing-an-orchestrator.md"


def test_the_version_of_host_json_has_its_folder() -> None:
    """What new instances are started with is what the newest histories were recorded with."""
    assert folder_of(default_version()) == folders()[-1].name
    versions = {e.executionStarted.version.value for h in HISTORIES for e in h.episodes[0].given}
    assert default_version() in versions


def test_real_engines_have_their_say() -> None:
    """Not every history is of the scripted engine: some were recorded from a running host."""
    assert len([h for h in HISTORIES if h.source == "local host"]) >= 3


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
def test_files_are_as_the_recorder_writes_them(history: History) -> None:
    """Reading and writing again changes nothing, so that a difference in a review is a difference in what happened."""
    text = (FOLDER / f"{history.name}.json").read_text(encoding="utf-8")
    assert history.text == text


def test_histories_are_small_and_hold_no_token_and_no_stack() -> None:
    """Nothing in them is of a machine, and nothing signs in anywhere."""
    texts = [path.read_bytes() for folder in folders() for path in folder.glob("*.json")]
    assert sum(map(len, texts)) < BYTES
    for text in texts:
        assert find(text, ["stackTrace", "localhost:", "127.0.0.1"]) == []


def test_another_wording_disturbs_nobody(done: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step is given may have one field more, and a message other words: instances in flight don't notice."""

    def more(value: Any) -> Any:
        return {**encode(value), "added": True}

    monkeypatch.setattr(attempts, "encode", more)
    monkeypatch.setattr(rotate_secret, "RotationFailed", type("RotationFailed", (Exception,), {}))
    assert list(differences(done, registered())) == []
    assert list(differences(read(FOLDER / "v1" / "bad-input.json"), registered())) == []


def test_longer_pauses_disturb_nobody(done: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that is set keeps its time; only whether there is one matters."""
    monkeypatch.setattr(attempts, "FIRST_PAUSE", 3.0)
    assert list(differences(done, registered())) == []


def test_a_wait_of_another_number_of_timers_is_caught(done: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK divides a wait into timers of three days at most: a wait that needs one more is another history."""

    def longer(*given: Any) -> datetime:
        return due.grace_until(*given) + timedelta(days=3)

    monkeypatch.setattr(rotate_secret, "grace_until", longer)
    assert any("expected taskScheduled" in d and "got timerCreated" in d for d in differences(done, registered()))


def test_an_orchestrator_that_is_gone_is_missed(done: History) -> None:
    """An instance in flight whose orchestrator was renamed could never go on."""
    assert list(differences(done, {})) == ["v1/busy-everywhere: no orchestrator is called rotate_secret any more"]


def test_a_step_that_shows_elsewhere_is_missed(done: History) -> None:
    """The status that people see is part of what is recorded."""
    episodes = tuple(_elsewhere(done))
    moved = History(done.name, done.orchestrator, done.instance, done.source, episodes)
    first = next(differences(moved, registered()))
    assert first == "v1/busy-everywhere, episode 1: expected the custom status at elsewhere, got read_policy"


def _elsewhere(history: History) -> Iterator[Any]:
    for episode in history.episodes:
        yield type(episode)(episode.given, episode.decided, "elsewhere")
