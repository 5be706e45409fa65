"""What operators decide about a running rotation: written into its record, which is what the orchestrator acts on."""

from datetime import datetime
from enum import StrEnum

import msgspec

NOT_ACKNOWLEDGED = "not-acknowledged"
"""The code of what waits for people who act by hand."""


class DecisionKind(StrEnum):
    """What can be decided."""

    ACKNOWLEDGE = "acknowledge"
    """A third party has the new credential: `subject` is its consumer URI."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: what about which object, and who said so when."""

    kind: DecisionKind
    subject: str
    by: str
    at: datetime


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What `read_decisions` returns: by the URI of each consumer that was acknowledged, who said so first."""

    acknowledged: dict[str, str] = {}
