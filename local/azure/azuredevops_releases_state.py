"""Knows what the simulated Azure DevOps keeps of classic releases, and how far one is at a given moment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.azure.azuredevops_pipelines_state import Work

DONE = frozenset({"succeeded", "partiallySucceeded"})
"""Ends of a stage after which the next one begins."""


@dataclass(frozen=True)
class Stage:
    """A stage (environment) of a definition; one that isn't automatic waits for somebody to start it."""

    id: int
    name: str
    automatic: bool
    work: Work


@dataclass(frozen=True)
class Deployment:
    """What becomes of a stage in one release: its own id and, unless it is never started, start, end and result."""

    id: int
    stage: Stage
    starts: datetime | None
    result: str

    def status(self, now: datetime) -> str:
        """Return the environment's status at that moment."""
        if self.starts is None or now < self.starts:
            return "notStarted"
        return self.result if now >= self.starts + timedelta(seconds=self.stage.work.seconds) else "inProgress"


@dataclass(frozen=True)
class Release:
    """A release; what becomes of its stages was settled when it was created."""

    id: int
    name: str
    description: str
    created: datetime
    by: str
    """Object id of who created it."""
    deployments: tuple[Deployment, ...]


@dataclass
class Definition:
    """A release definition."""

    id: int
    name: str
    path: str
    stages: tuple[Stage, ...]
    releases: dict[int, Release] = field(default_factory=dict)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """As the API shows them: a secret one has no value."""


def planned(
    stages: tuple[Stage, ...], results: tuple[str, ...], ids: tuple[int, ...], now: datetime
) -> tuple[Deployment, ...]:
    """Return what becomes of each stage: automatic ones follow each other until one fails or waits for somebody."""
    starts: datetime | None = now
    found = []
    for stage, result, id_ in zip(stages, results, ids, strict=True):
        begins = starts if stage.automatic else None
        found.append(Deployment(id_, stage, begins, result))
        starts = begins + timedelta(seconds=stage.work.seconds) if begins and result in DONE else None
    return tuple(found)
