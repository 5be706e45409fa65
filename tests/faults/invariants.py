"""What must be true after every rotation, whatever went wrong on the way: judged from the services' own state."""

import json
from typing import Any

import msgspec
from azure.storage.blob import ContainerClient

from local.company import Company, Password, Version
from local.judge import Check, checks, judgements
from local.processes import wait_until
from local.seen import Seen, look
from rekey import names
from rekey.records import Record
from tests.faults.rotating import Rotating

MAILS = ("starting", "switched", "done")

BENT = {
    "each mail went once, to the right people": "a notice sent again under its operation id is one mail",
    "nothing else in the company changed": "attempts that died left passwords, which are removed since",
    "however often the event came: one rotation": "the same passwords again; versions are counted here",
}
"""Judgements of an undisturbed rotation that a disturbed one need not pass as they are, and why."""


def check_done(rotating: Rotating, *, same_again: int = 0, mails: tuple[str, ...] = MAILS) -> Seen:
    """Wait for the end, then hold the company to all of it.

    `same_again`: how many more versions with the very same password and tags a late publication left.
    """
    ended = rotating.wait_end()
    assert ended["runtimeStatus"] == "Completed", ended
    assert ended["output"]["result"] == "done", ended
    wait_nothing_staged(rotating)
    seen = look(rotating.stack, rotating.before, {})
    wrong = failures(seen)
    assert not wrong, wrong
    _check_versions(seen, ended["output"]["rotation_id"], same_again)
    check_mails(rotating, mails)
    check_watched(rotating)
    assert len(seen.records) == 1
    return seen


def failures(seen: Seen) -> list[Check]:
    """Return the judgements that a disturbed rotation has to pass as well, and doesn't."""
    assert BENT.keys() <= judgements(seen.scenario).keys()
    return [check for check in checks(seen) if not check.ok and check.name not in BENT]


def check_watched(rotating: Rotating) -> None:
    """At no moment did a reader get a disabled version or a value that doesn't sign in."""
    rotating.watch.stop()
    assert rotating.watch.looks > 0
    assert rotating.watch.wrong == []


def _check_versions(seen: Seen, rotation_id: str, same_again: int) -> None:
    """There is the old version and this rotation's, and all of this rotation's are the same."""
    ours = [v for v in seen.versions if v.tags.get(names.TAG_ROTATION_ID) == rotation_id]
    assert (len(seen.versions), len(ours)) == (2 + same_again, 1 + same_again)
    assert all((v.value, v.tags, v.enabled) == (seen.new.value, seen.new.tags, True) for v in ours)


def live_passwords(rotating: Rotating) -> list[Password]:
    """Return the passwords that the application has now."""
    return company(rotating).entra.applications[rotating.scenario.application].live()


def versions(rotating: Rotating) -> tuple[Version, ...]:
    """Return the managed secret's versions, oldest first."""
    scenario = rotating.scenario
    return company(rotating).keyvault.vaults[scenario.vault].secrets[scenario.secret].versions


def company(rotating: Rotating) -> Company:
    """Return the company as it is now."""
    return Company.of(rotating.control.state())


def wait_nothing_staged(rotating: Rotating) -> None:
    """Wait until a purge that was asked for is through: it takes a moment; nobody is left to ask for one."""

    def empty() -> bool:
        staging = company(rotating).keyvault.vaults[rotating.scenario.staging]
        return not (staging.secrets or staging.deleted)

    wait_until(empty, "no value is staged", timeout=10)


def check_mails(rotating: Rotating, kinds: tuple[str, ...]) -> None:
    """Each notice is in the mail service once, in this order; nothing waits in the app's own outbox."""
    sent = company(rotating).email.outbox
    assert [mail.kind() for mail in sent] == list(kinds), [mail.subject for mail in sent]
    assert kept_notices(rotating) == []


def kept_notices(rotating: Rotating) -> list[dict[str, Any]]:
    """Return the notices that couldn't be sent and wait."""
    return [json.loads(blob) for blob in _blobs(rotating, "outbox/")]


def record(rotating: Rotating) -> Record:
    """Return the evidence of the only rotation there was."""
    (found,) = _blobs(rotating, names.RECORDS)
    return msgspec.json.decode(found, type=Record)


def _blobs(rotating: Rotating, prefix: str) -> list[bytes]:
    connection = rotating.stack.storage.connection_string
    with ContainerClient.from_connection_string(connection, names.CONTAINER) as container:
        found = [blob.name for blob in container.list_blobs(name_starts_with=prefix)]
        return [container.download_blob(name).readall() for name in found]
