"""Who works on which work item: a lease is settled once, or its work is given to somebody else."""

from dataclasses import dataclass
from enum import Enum, auto
from uuid import uuid4


class Kind(Enum):
    """What is leased."""

    ORCHESTRATION = auto()
    ACTIVITY = auto()
    ENTITY = auto()


@dataclass(frozen=True)
class Lease:
    """One delivery of one work item. `token` goes to the worker, `work` is the engine's own completion token."""

    token: str
    kind: Kind
    work: str
    stream: object


class Leases:
    """The leases that are neither settled nor taken back. Not thread-safe: the engine's lock guards it."""

    def __init__(self) -> None:
        self._live: dict[str, Lease] = {}

    def grant(self, kind: Kind, work: str, stream: object) -> Lease:
        """Lease a work item to the worker behind `stream`."""
        lease = Lease(uuid4().hex, kind, work, stream)
        self._live[lease.token] = lease
        return lease

    def end(self, token: str) -> Lease | None:
        """End a lease, whether settled or taken back; None if it has ended before (a late duplicate)."""
        return self._live.pop(token, None)

    def of(self, stream: object) -> list[Lease]:
        """Return the live leases of one worker."""
        return [lease for lease in self._live.values() if lease.stream is stream]
