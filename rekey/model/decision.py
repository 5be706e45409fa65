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


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may read the secret was refused its old version, by the vault's audit log: who, and when first.

    Ids of application and object, lower case; a person's sign-in name where there is one.
    """

    app_id: str = ""
    object_id: str = ""
    name: str = ""
    at: datetime

    def who(self) -> str:
        """Return the caller in words."""
        return spoken(self.app_id, self.object_id, self.name)


def spoken(app_id: str, object_id: str, name: str) -> str:
    """Return a caller in words: whatever is known of it."""
    ids = (name, f"application {app_id}" if app_id else "", f"object id {object_id}" if object_id else "")
    return ", ".join(filter(None, ids)) or "somebody unknown"


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What `read_decisions` returns: by the URI of each consumer that was acknowledged, who said so first.

    `refused` are the expected readers that were refused the old version since it was disabled.
    """

    acknowledged: dict[str, str] = {}
    refused: tuple[Refusal, ...] = ()
