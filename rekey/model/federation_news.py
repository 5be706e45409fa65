"""What people are told of a service connection that comes to need no secret: facts only."""

from datetime import datetime
from enum import StrEnum

import msgspec

from rekey.model.federation import Mode, PipelineUse

MOST_PIPELINES = 100
"""In one notice: it crosses the durable store, and nobody reads more in a mail."""


class Stage(StrEnum):
    """How far a federation has come when somebody is told."""

    APPROVE = "approve"
    """Somebody else than who asked has to agree."""
    STARTING = "starting"
    CONVERTED = "converted"
    """The new way in is proven; the way back is open."""
    STILL_USED = "still-used"
    """Pipelines still run through the old connection."""
    NEEDS_YOU = "needs-you"
    DONE = "done"
    REVERTED = "reverted"
    FAILED = "failed"


class FederationNews(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of one walk. `connection` is the old one's name, `new_connection` that of one that is made.

    `soak_until` is how long the way back stays open at least, `revert_until` how long Azure DevOps itself can convert
    back. `pipelines` are those that are known to use the old one, `more_pipelines` how many are not listed. `role` and
    `scope` are what is to be granted to `identity` or a new one. `proof` says how it is known that the new way works,
    `undone` what is again as it was; where something was `changed` and neither is said, that is in doubt.
    `revertible`: an operator can still have everything put back.
    """

    stage: Stage
    mode: Mode
    organization: str
    project: str
    connection: str = ""
    new_connection: str = ""
    requested_by: str = ""
    identity: str = ""
    role: str = ""
    scope: str = ""
    soak_until: datetime | None = None
    revertible: bool = False
    revert_until: datetime | None = None
    changed: bool = False
    proof: str = ""
    undone: str = ""
    approved_by: str = ""
    reverted_by: str = ""
    pipelines: tuple[PipelineUse, ...] = ()
    more_pipelines: int = 0

    @property
    def name(self) -> str:
        """Return the connection that it is about, as people know it: the old one's name, or a vended one's."""
        return f"{self.organization}/{self.project}/{self.connection or self.new_connection}"
