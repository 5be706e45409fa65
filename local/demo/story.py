"""Says in a sentence what a step of the runbook did, and to which object, from its entry in the evidence record."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.scenario import Scenario
from rekey import names
from rekey.model import ConsumerResult, Facts, Issued, Published, Retired, Told, UseCheck, decode
from rekey.records import Entry, Record

WHY_NOT_KNOWN_YET = "a new password takes seconds to minutes to be known all over Entra, here 2 s"
_LONGEST = 300
"""Characters of what a step said that has no sentence of its own."""


@dataclass(frozen=True)
class Story:
    """What the sentences are about; `expires` is the old credential's end."""

    scenario: Scenario
    expires: datetime
    record: Record

    def began(self) -> str:
        """Say why there is something to do."""
        days = round((self.expires - self.record.opened).total_seconds() / 86400)
        return f"due: version {self.record.old_version} ends in {days} days; its tags are a valid policy"

    def grace(self) -> str:
        """Say what the grace period is."""
        return f"old and new password both work for {self.scenario.grace} (tag rekey-grace; the default is P7D)"

    def told(self, entry: Entry) -> str:
        """Say what an entry is about."""
        if entry.outcome != "ok":
            again = f", tried {entry.times} times" if entry.times > 1 else ""
            reason = f": {WHY_NOT_KNOWN_YET}" if entry.code == "not-known-yet" else ""
            return f"{entry.message}{again}{reason}"
        sentence = SENTENCES.get(entry.step)
        return sentence(self, entry.detail) if sentence else _plain(entry.detail)


def _plain(detail: Any) -> str:
    return "" if detail is None else json.dumps(detail)[:_LONGEST]


def _opened(story: Story, _detail: Any) -> str:
    return f"evidence {names.record_blob(story.record.rotation_id)}, before anything is changed"


def _preflight(story: Story, detail: Any) -> str:
    facts, scenario = decode(detail, Facts), story.scenario
    old = f"the old password is key {facts.old_key_id}" if facts.old_key_id else "which password is old can't be proved"
    remarks = "".join(f"; {remark}" for remark in facts.remarks)
    consumers = " and ".join(target.uri.rpartition("/")[2] for target in facts.consumers)
    return f"may do all of it: owns {facts.display_name}, writes to {scenario.vault}, edits {consumers}; {old}{remarks}"


def _notified(_story: Story, detail: Any) -> str:
    told = decode(detail, Told)
    if told.undelivered:
        return f"mail '{told.kind}' waits in the outbox: {told.undelivered}"
    refused = f", refused for {', '.join(told.refused)}" if told.refused else ""
    return f"mail '{told.kind}' to {', '.join(told.accepted)}{refused}"


def _generated(story: Story, detail: Any) -> str:
    issued, scenario = decode(detail, Issued), story.scenario
    staged = f"{scenario.staging}/{names.staged_secret(story.record.rotation_id)}"
    return (
        f"{scenario.application} has a second password, key {issued.key_id}, until {_day(issued.expires)}; "
        f"its value went into the staging vault, {staged}"
    )


def _verified(story: Story, _detail: Any) -> str:
    return f"Entra signs {story.scenario.application} in with it, several times in a row"


def _published(story: Story, detail: Any) -> str:
    published, scenario = decode(detail, Published), story.scenario
    return (
        f"{scenario.vault}/{scenario.secret} has version {published.version}, until {_day(published.expires)}, "
        "read back; the staged value is deleted and purged"
    )


def _disabled(story: Story, _detail: Any) -> str:
    return f"version {story.record.old_version} can't be read any more; its password still signs in"


def _updated(story: Story, _detail: Any) -> str:
    scenario = story.scenario
    return f"service connection {scenario.project}/{scenario.connection} of {scenario.organization} holds the new one"


def _confirmed(_story: Story, detail: Any) -> str:
    return decode(detail, ConsumerResult).confirmed_by


def _checked(_story: Story, detail: Any) -> str:
    check = decode(detail, UseCheck)
    return check.remark or f"still used by: {', '.join(check.used_by) or 'nobody'}"


def _retired(story: Story, detail: Any) -> str:
    retired = decode(detail, Retired)
    removed = f"key {', '.join(retired.removed)} removed from {story.scenario.application}" if retired.removed else ""
    return "; ".join(filter(None, [removed, retired.remark]))


def _closed(_story: Story, _detail: Any) -> str:
    return "the evidence is complete, result: done"


SENTENCES: Mapping[str, Callable[[Story, Any], str]] = {
    names.OPEN_RECORD: _opened,
    names.PREFLIGHT: _preflight,
    names.NOTIFY_OWNERS: _notified,
    names.GENERATE_CREDENTIAL: _generated,
    names.VERIFY_CREDENTIAL: _verified,
    names.SET_SECRET_VERSION: _published,
    names.DISABLE_OLD_VERSION: _disabled,
    names.UPDATE_CONSUMER: _updated,
    names.CONFIRM_CONSUMER: _confirmed,
    names.CHECK_OLD_CREDENTIAL_USE: _checked,
    names.RETIRE_OLD_CREDENTIAL: _retired,
    names.CLOSE_RECORD: _closed,
}


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
