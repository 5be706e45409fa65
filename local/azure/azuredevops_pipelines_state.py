"""Knows what the simulated Azure DevOps keeps of a pipeline and its runs, and what a run is at a given moment."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Use:
    """What a job signs in to Entra with: a connection, or a group's variable as the password of an application."""

    endpoint: str = ""
    group: str = ""
    variable: str = ""
    client_id: str = ""


@dataclass(frozen=True)
class Work:
    """What a job does: how long it takes (seconds), how it ends if all that it uses lets it in."""

    seconds: float
    outcome: str
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run; `result` is how it ends, which was settled when it began."""

    id: int
    name: str
    branch: str
    queued: datetime
    seconds: float
    result: str
    by: str
    """Object id of who queued it."""
    reason: str = "manual"

    def ends(self) -> datetime:
        """Return when it is over."""
        return self.queued + timedelta(seconds=self.seconds)

    def over(self, now: datetime) -> bool:
        """Tell whether it is over."""
        return now >= self.ends()


@dataclass(frozen=True)
class Step:
    """A step that was put together in the designer: connections are inputs with their ids."""

    name: str
    inputs: dict[str, str]


@dataclass
class Pipeline:
    """A pipeline; `status` is enabled, paused or disabled, the first of `branches` its default one."""

    id: int
    name: str
    folder: str
    kind: str
    status: str
    branches: tuple[str, ...]
    work: Work
    runs: dict[int, Run] = field(default_factory=dict)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """As the API shows them: a secret one has no value."""
    author: str = ""
    """Mail address of who made it."""
    pool: str = "Azure Pipelines"
    hosted: bool = True
    """Whether Microsoft runs the agents of its pool."""
    yaml: str = "/azure-pipelines.yml"
    """Where its steps are, if it is of that kind."""
    steps: tuple[Step, ...] = ()
    """Its steps, if they are kept in Azure DevOps."""
