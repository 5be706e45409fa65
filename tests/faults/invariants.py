"""What must be true after every rotation, whatever went wrong on the way: judged from the services' own state."""

import json
from typing import Any

from azure.storage.blob import ContainerClient

from rekey import names
from tests.faults.rotating import Rotating
from tests.faults.watching import connection_key, newest, signs_in

MAILS = ("starting", "switched", "done")


def check_done(rotating: Rotating, *, versions: int = 2, mails: tuple[str, ...] = MAILS) -> dict[str, Any]:
    """Wait for the end, then hold the company to all of it; returns the rotation's record."""
    ended = rotating.wait_end()
    assert ended["runtimeStatus"] == "Completed", ended
    assert ended["output"]["result"] == "done", ended
    rotation_id = ended["output"]["rotation_id"]
    state = rotating.control.state()
    key_id = _check_vault(rotating, state, rotation_id, versions)
    _check_passwords(rotating, state, key_id)
    check_nothing_staged(rotating, state, rotation_id)
    check_mails(rotating, mails)
    check_watched(rotating)
    record = check_record(rotating, rotation_id, "done")
    assert [e["step"] for e in record["entries"]].count(names.CLOSE_RECORD) == 1
    return record


def check_watched(rotating: Rotating) -> None:
    """At no moment did a reader get a disabled version or a value that doesn't sign in."""
    rotating.watch.stop()
    assert rotating.watch.looks > 0
    assert rotating.watch.wrong == []


def _check_vault(rotating: Rotating, state: dict[str, Any], rotation_id: str, versions: int) -> str:
    """The newest version is this rotation's, enabled, and signs in; the one before is disabled, nothing else there."""
    scenario = rotating.scenario
    stored = state["keyvault"]["vaults"][scenario.vault]["secrets"][scenario.secret]["versions"]
    latest = newest(rotating.stack, state)
    older = [version for version in stored if version is not latest]
    assert len(stored) == versions, [(v["id"], v["enabled"], v["tags"]) for v in stored]
    assert latest["enabled"]
    assert not any(version["enabled"] for version in older)
    assert latest["tags"][names.TAG_ROTATION_ID] == rotation_id
    assert signs_in(rotating.stack, latest["value"])
    assert latest["value"] == connection_key(rotating.stack, state)
    key_id: str = latest["tags"][names.TAG_KEY_ID]
    return key_id


def _check_passwords(rotating: Rotating, state: dict[str, Any], key_id: str) -> None:
    """The application has exactly one password, the published one."""
    live = live_passwords(rotating, state)
    assert [p["key_id"] for p in live] == [key_id]
    assert live[0]["value"] == newest(rotating.stack, state)["value"]


def live_passwords(rotating: Rotating, state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the passwords that the application has now, values included."""
    passwords = state["entra"]["applications"][rotating.scenario.application]["passwords"]
    return [p for p in passwords if p["removed"] is None]


def check_nothing_staged(rotating: Rotating, state: dict[str, Any], rotation_id: str, *, made: bool = True) -> None:
    """No value waits in the staging vault, not even deleted; `made` says whether there ever was one."""
    staging = state["keyvault"]["vaults"][rotating.scenario.staging]
    assert (staging["secrets"], staging["deleted"]) == ({}, {})
    assert (names.staged_secret(rotation_id) in staging["purged"]) == made


def check_mails(rotating: Rotating, kinds: tuple[str, ...]) -> None:
    """Each notice is in the mail service once, in this order; nothing waits in the app's own outbox."""
    subjects = [mail["subject"] for mail in rotating.control.outbox()]
    assert [kind for subject in subjects for kind in _kinds(subject)] == list(kinds), subjects
    assert kept_notices(rotating) == []


def _kinds(subject: str) -> list[str]:
    return [subject.removeprefix("[Rekey] ").partition(":")[0]]


def check_record(rotating: Rotating, rotation_id: str, result: str) -> dict[str, Any]:
    """The evidence is closed with this result; there is one record, and no secret in it."""
    found = records(rotating)
    assert [r["rotation_id"] for r in found] == [rotation_id]
    assert (found[0]["state"], found[0]["result"]) == ("closed", result)
    return found[0]


def records(rotating: Rotating) -> list[dict[str, Any]]:
    """Return every rotation's record."""
    return _blobs(rotating, names.RECORDS)


def kept_notices(rotating: Rotating) -> list[dict[str, Any]]:
    """Return the notices that couldn't be sent and wait."""
    return _blobs(rotating, "outbox/")


def _blobs(rotating: Rotating, prefix: str) -> list[dict[str, Any]]:
    connection = rotating.stack.storage.connection_string
    with ContainerClient.from_connection_string(connection, names.CONTAINER) as container:
        found = [blob.name for blob in container.list_blobs(name_starts_with=prefix)]
        return [json.loads(container.download_blob(name).readall()) for name in found]
