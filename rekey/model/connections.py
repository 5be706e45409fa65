"""What the steps of auditing service connections are asked and answer: names and counts; what was read is in blobs."""

from datetime import datetime

import msgspec

from rekey.model.notice import Notice
from rekey.model.sweep import OfSweep


class Audit(OfSweep, frozen=True, kw_only=True):
    """One look at all connections; `started` is the orchestration's time."""

    started: datetime


class ProjectName(msgspec.Struct, frozen=True, kw_only=True):
    """One project of an Azure DevOps organization that settings allow."""

    organization: str
    project: str


class Projects(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look."""

    projects: tuple[ProjectName, ...] = ()


class OfProject(Audit, frozen=True, kw_only=True):
    """The input of `audit_project`."""

    project: ProjectName


class ProjectRead(msgspec.Struct, frozen=True, kw_only=True):
    """What one activity came to; `more`: it is to be called again, after `pause` seconds if the service wants that."""

    connections: int = 0
    more: bool = False
    pause: float = 0.0


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """A project, or something of it (`what`), that could not be looked at, and why."""

    organization: str
    project: str
    code: str
    message: str
    what_to_do: str = ""
    what: str = ""


class Reporting(Audit, frozen=True, kw_only=True):
    """The input of `report_connections`: the projects that were to be looked at, and those that weren't."""

    projects: tuple[ProjectName, ...] = ()
    unseen: tuple[Unseen, ...] = ()


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the report, in numbers; `notice` is None if there is nothing to tell."""

    counts: dict[str, int] = {}
    notice: Notice | None = None
