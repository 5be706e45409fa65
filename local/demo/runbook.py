"""What the demo follows: one instance of an orchestration, its evidence record, and what is said of its steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from local.demo.story import Story
from local.scenario import Scenario
from rekey import names
from rekey.records import Entry, Record


class Evidence(Protocol):
    """What every evidence record has."""

    @property
    def opened(self) -> datetime:
        """When it was opened."""
        ...

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was done, in order."""
        ...


class Runbook[E: Evidence](Protocol):
    """One walk through steps, of rotation or federation."""

    @property
    def instance(self) -> str:
        """The id of its instance."""
        ...

    @property
    def opens(self) -> tuple[str, str]:
        """The step that reads, before there is a record, and the one that opens it."""
        ...

    @property
    def waits(self) -> Mapping[str, str]:
        """Waits that are no steps, by the steps that may follow."""
        ...

    def blob(self, walk_id: str) -> str:
        """Return the name of its record's blob."""
        ...

    def read(self, blob: bytes) -> E:
        """Return the record."""
        ...

    def began(self, record: E) -> str:
        """Say what the first step found."""
        ...

    def waited(self, record: E) -> str:
        """Say what the wait is for."""
        ...

    def told(self, record: E, entry: Entry) -> str:
        """Say what an entry is about."""
        ...


@dataclass(frozen=True)
class Rotation:
    """The rotation of a company's managed secret; `expires` is the old credential's end."""

    scenario: Scenario
    expires: datetime
    opens: tuple[str, str] = (names.READ_POLICY, names.OPEN_RECORD)

    @property
    def instance(self) -> str:
        """The id of its instance."""
        return names.instance_id(self.scenario.vault, self.scenario.secret)

    @property
    def waits(self) -> Mapping[str, str]:
        """The grace period."""
        return {names.CHECK_OLD_CREDENTIAL_USE: names.GRACE}

    def blob(self, walk_id: str) -> str:
        """Return the name of its record's blob."""
        return names.record_blob(walk_id)

    def read(self, blob: bytes) -> Record:
        """Return the record."""
        return msgspec.json.decode(blob, type=Record)

    def began(self, record: Record) -> str:
        """Say why there is something to do."""
        return self._story(record).began()

    def waited(self, record: Record) -> str:
        """Say what the grace period is."""
        return self._story(record).grace()

    def told(self, record: Record, entry: Entry) -> str:
        """Say what an entry is about."""
        return self._story(record).told(entry)

    def _story(self, record: Record) -> Story:
        return Story(self.scenario, self.expires, record)
