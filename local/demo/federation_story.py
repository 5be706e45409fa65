"""Says in a sentence what a step did on a connection's way to need no secret, from its entry in the evidence record."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from local.federation_scenario import FederationScenario
from rekey import names
from rekey.federation.records import FederationRecord
from rekey.model import Told, decode
from rekey.model.federation import Checked, New, Proven, SecretsRetired, Trust
from rekey.records import Entry

_LONGEST = 300
"""Characters of what a step said that has no sentence of its own."""
_PROVES = (names.LOOK_AT_RUNS, names.PROVE_CONNECTION, names.READ_FEDERATION_DECISIONS, names.RETIRE_SECRETS)


@dataclass(frozen=True)
class Federating:
    """The walk of a company's service connection, in place."""

    scenario: FederationScenario
    opens: tuple[str, str] = (names.READ_CONNECTION, names.OPEN_FEDERATION)

    @property
    def instance(self) -> str:
        """The id of its instance."""
        return names.federation_instance(self.scenario.organization, self.scenario.project, self.scenario.connection)

    @property
    def waits(self) -> Mapping[str, str]:
        """The soak, and what may come after it."""
        return dict.fromkeys(_PROVES, names.SOAK)

    def blob(self, walk_id: str) -> str:
        """Return the name of its record's blob."""
        return names.federation_blob(walk_id)

    def read(self, blob: bytes) -> FederationRecord:
        """Return the record."""
        return msgspec.json.decode(blob, type=FederationRecord)

    def began(self, record: FederationRecord) -> str:
        """Say what was found."""
        old = record.federation.old
        managed = f", which {' and '.join(old.managed_by)} has a copy of" if old and old.managed_by else ""
        return f"{self.scenario.connection} signs in by {old.way if old else 'nothing'}{managed}"

    def waited(self, _record: FederationRecord) -> str:
        """Say what the soak is."""
        return f"the way back stays open for {self.scenario.soak} (asked for; the default is P7D)"

    def told(self, record: FederationRecord, entry: Entry) -> str:
        """Say what an entry is about."""
        if entry.outcome != "ok":
            return f"{entry.message}{f', tried {entry.times} times' if entry.times > 1 else ''}"
        sentence = SENTENCES.get(entry.step)
        return sentence(record, entry.detail) if sentence else _plain(entry.detail)


def _plain(detail: Any) -> str:
    return "ok" if detail is None else json.dumps(detail)[:_LONGEST]


def _opened(record: FederationRecord, _detail: Any) -> str:
    return f"evidence {names.federation_blob(record.federation.id)}, before anything is changed"


def _identified(record: FederationRecord, _detail: Any) -> str:
    old = record.federation.old
    return f"it signs in as {(old and old.application_name) or 'an application'}, which has room for one trust more"


def _checked(_record: FederationRecord, detail: Any) -> str:
    checked = decode(detail, Checked)
    used = ", ".join(f"{one.name} ({one.known_by})" for one in checked.pipelines)
    remarks = "".join(f"; {remark}" for remark in checked.remarks)
    return f"may administer it; pipelines that use it: {used or 'none'}{remarks}"


def _notified(_record: FederationRecord, detail: Any) -> str:
    told = decode(detail, Told)
    if told.undelivered:
        return f"mail '{told.kind}' waits in the outbox: {told.undelivered}"
    return f"mail '{told.kind}' to {', '.join(told.accepted)}"


def _converted(_record: FederationRecord, detail: Any) -> str:
    new = decode(detail, New)
    if not new.federated:
        return f"Azure DevOps wants it trusted first; it will present {new.subject}"
    until = f" and can go back until {new.revert_until:%d %B %Y}" if new.revert_until else ""
    return f"it holds no secret any more{until}; it presents {new.subject}"


def _trusted(_record: FederationRecord, detail: Any) -> str:
    trust = decode(detail, Trust)
    return f"federated credential {trust.name} of the application: exactly that subject, of {trust.issuer}"


def _proven(_record: FederationRecord, detail: Any) -> str:
    return decode(detail, Proven).proof


def _retired(_record: FederationRecord, detail: Any) -> str:
    retired = decode(detail, SecretsRetired)
    gone = f"password {', '.join(retired.removed)} removed" if retired.removed else "no password was removed"
    return "; ".join([gone, *retired.remarks])


def _closed(_record: FederationRecord, _detail: Any) -> str:
    return "the evidence is complete, result: done"


SENTENCES: Mapping[str, Callable[[FederationRecord, Any], str]] = {
    names.OPEN_FEDERATION: _opened,
    names.FIND_IDENTITY: _identified,
    names.CHECK_CONNECTION: _checked,
    names.NOTIFY_OWNERS: _notified,
    names.CONVERT_CONNECTION: _converted,
    names.TRUST_CONNECTION: _trusted,
    names.PROVE_CONNECTION: _proven,
    names.RETIRE_SECRETS: _retired,
    names.CLOSE_FEDERATION: _closed,
}
