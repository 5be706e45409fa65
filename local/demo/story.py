"""Says in a sentence what a step of the runbook did, and to which object, from its entry in the evidence record."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.kinds.ports import Credential
from local.scenario import Scenario
from rekey import names
from rekey.model import ConsumerResult, Facts, Issued, Published, Retired, Told, UseCheck, When, decode
from rekey.records import Entry, Record

_LONGEST = 300
"""Characters of what a step said that has no sentence of its own."""


@dataclass(frozen=True)
class Story:
    """What the sentences are about; `expires` is the old credential's end."""

    scenario: Scenario
    expires: datetime
    record: Record

    @property
    def credential(self) -> Credential:
        """What is rotated."""
        return self.scenario.credential

    def began(self) -> str:
        """Say why there is something to do."""
        days = round((self.expires - self.record.opened).total_seconds() / 86400)
        return f"due: version {self.record.old_version} ends in {days} days; its tags are a valid policy"

    def grace(self) -> str:
        """Say what the grace period is."""
        both = f"old and new {self.credential.word} both work"
        return f"{both} for {self.scenario.grace} (tag rekey-grace; the default is P7D)"

    def told(self, entry: Entry) -> str:
        """Say what an entry is about."""
        if entry.outcome != "ok":
            again = f", tried {entry.times} times" if entry.times > 1 else ""
            reason = f": {self.credential.slow}" if entry.code == "not-known-yet" else ""
            return f"{entry.message}{again}{reason}"
        sentence = SENTENCES.get(entry.step)
        return sentence(self, entry.detail) if sentence else _plain(entry.detail)


def _plain(detail: Any) -> str:
    return "" if detail is None else json.dumps(detail)[:_LONGEST]


def _opened(story: Story, _detail: Any) -> str:
    return f"evidence {names.record_blob(story.record.rotation_id)}, before anything is changed"


def _preflight(story: Story, detail: Any) -> str:
    facts, scenario = decode(detail, Facts), story.scenario
    may, old = story.credential.checked(facts)
    remarks = "".join(f"; {remark}" for remark in facts.remarks)
    edits, runs = (_named(facts, when) for when in (When.WITH_OTHERS, When.AFTER_OTHERS))
    deeds = [may, f"writes to {scenario.vault}", *(f"edits {it}" for it in edits), *(f"runs {it}" for it in runs)]
    return f"may do all of it: {', '.join(deeds)}; {old}{remarks}"


def _named(facts: Facts, when: When) -> list[str]:
    """Return the names of the consumers whose turn is then, as one text, or none."""
    found = [target.uri.rpartition("/")[2] for target in facts.consumers if target.when == when]
    return [" and ".join(found)] if found else []


def _notified(_story: Story, detail: Any) -> str:
    told = decode(detail, Told)
    if told.undelivered:
        return f"mail '{told.kind}' waits in the outbox: {told.undelivered}"
    refused = f", refused for {', '.join(told.refused)}" if told.refused else ""
    return f"mail '{told.kind}' to {', '.join(told.accepted)}{refused}"


def _generated(story: Story, detail: Any) -> str:
    issued = decode(detail, Issued)
    made = story.credential.generated(issued.key_id, _day(issued.expires))
    staged = f"{story.scenario.staging}/{names.staged_secret(story.record.rotation_id)}"
    return f"{made}; its value went into the staging vault, {staged}" if issued.staged_version else made


def _verified(story: Story, _detail: Any) -> str:
    return story.credential.verified()


def _published(story: Story, detail: Any) -> str:
    published, scenario = decode(detail, Published), story.scenario
    purged = "; the staged value is deleted and purged" if story.credential.staged else ""
    version = f"version {published.version}, until {_day(published.expires)}"
    return f"{scenario.vault}/{scenario.secret} has {version}, read back{purged}"


def _disabled(story: Story, _detail: Any) -> str:
    its = f"its {story.credential.word}"
    return f"version {story.record.old_version} can't be read any more; {its} still {story.credential.works}"


def _updated(story: Story, detail: Any) -> str:
    consumer = story.scenario.consumer(detail)
    return consumer.updated() if consumer else _plain(detail)


def _confirmed(_story: Story, detail: Any) -> str:
    return decode(detail, ConsumerResult).confirmed_by


def _checked(_story: Story, detail: Any) -> str:
    check = decode(detail, UseCheck)
    return check.remark or f"still used by: {', '.join(check.used_by) or 'nobody'}"


def _retired(story: Story, detail: Any) -> str:
    retired = decode(detail, Retired)
    removed = story.credential.retired(retired.removed) if retired.removed else ""
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
