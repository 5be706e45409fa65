"""One turn of reading a project: as much as one activity may, from where the turn before left off, kept in a blob.

What can't be read of the variables, the runs or an application is remembered and stops nothing else.
"""

import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from rekey.azure_devops import Page
from rekey.azure_devops_connections import Connections
from rekey.blobs import read_json, write_json
from rekey.connections.found import Connection, Pool, Principal, Variable
from rekey.errors import NotYetError, PermanentError
from rekey.model.connections import OfProject, ProjectName, ProjectRead, Unseen

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

READ = "connections/read/"
LONGEST = 20.0
"""Seconds of one turn."""

type Look = Callable[[str], Awaitable[Principal]]
"""Says who has a client id."""


class Task(msgspec.Struct, frozen=True):
    """Something that is still to be read: which page, which connection's runs, or which application."""

    what: str
    which: str = ""


FIRST = (Task("connections"), Task("variable groups"), Task("pipelines"))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a project so far, and what is left to read."""

    tasks: tuple[Task, ...] = FIRST
    connections: tuple[Connection, ...] = ()
    principals: dict[str, Principal] = {}
    variables: tuple[Variable, ...] = ()
    pools: dict[int, Pool] = {}
    unseen: tuple[Unseen, ...] = ()


def blob(run_id: str, project: ProjectName) -> str:
    """Return where it is kept what one run read of a project."""
    name = f"{project.organization}/{project.project}".lower()
    return f"{READ}{run_id}/{hashlib.sha256(name.encode()).hexdigest()}.json"


class Turn:
    """Reads on; `look` is asked once for each application, `tenant` is the only one whose applications it knows."""

    def __init__(self, service: Connections, container: "ContainerClient", look: Look, tenant: str) -> None:
        self._service = service
        self._container = container
        self._look = look
        self._tenant = tenant

    async def run(self, asked: OfProject) -> ProjectRead:
        """Read until everything is read, the time is over, or a service wants a pause; NotYetError keeps what is."""
        name, ends = blob(asked.run_id, asked.project), time.monotonic() + LONGEST
        seen, pause = await read_json(self._container, name, Seen, "connections") or Seen(), 0.0
        try:
            while seen.tasks and not pause and time.monotonic() < ends:
                seen, pause = await self._done(seen, asked.project)
        except NotYetError:
            # The others first: what stays busy for hours is then all that is missing.
            await self._keep(name, replace(seen, tasks=(*seen.tasks[1:], seen.tasks[0])))
            raise
        await self._keep(name, seen)
        return ProjectRead(connections=len(seen.connections), more=bool(seen.tasks), pause=pause if seen.tasks else 0.0)

    async def _keep(self, name: str, seen: Seen) -> None:
        await write_json(self._container, name, seen, "connections")

    async def _done(self, seen: Seen, project: ProjectName) -> tuple[Seen, float]:
        task, left = seen.tasks[0], replace(seen, tasks=seen.tasks[1:])
        try:
            return await self._STEPS[task.what](self, left, project, task.which)
        except PermanentError as error:
            if task.what == "connections":
                raise
            return replace(left, unseen=(*left.unseen, _unseen(error, project, task))), 0.0

    async def _connections(self, seen: Seen, project: ProjectName, _which: str) -> tuple[Seen, float]:
        found, page = await self._service.connections(project.organization, project.project)
        known = dict.fromkeys(c.application for c in found if c.application and c.tenant in {"", self._tenant})
        tasks = (*seen.tasks, *(Task("application", one) for one in known), *(Task("runs", c.id) for c in found))
        return replace(seen, connections=found, tasks=tasks), page.pause

    async def _groups(self, seen: Seen, project: ProjectName, which: str) -> tuple[Seen, float]:
        found, page = await self._service.variable_groups(project.organization, project.project, which)
        return _more(seen, found, page, "variable groups")

    async def _pipelines(self, seen: Seen, project: ProjectName, which: str) -> tuple[Seen, float]:
        found, pools, page = await self._service.pipelines(project.organization, project.project, which)
        return _more(replace(seen, pools=seen.pools | pools), found, page, "pipelines")

    async def _application(self, seen: Seen, project: ProjectName, which: str) -> tuple[Seen, float]:
        found = await self._look(which)
        known = replace(seen, principals={**seen.principals, which: found})
        if not found.hidden:
            return known, 0.0
        hidden = Unseen(
            organization=project.organization,
            project=project.project,
            code="hidden",
            message=found.hidden,
            what_to_do=found.to_see,
            what=f"{found.standing} {found.name or which}",
        )
        return replace(known, unseen=(*known.unseen, hidden)), 0.0

    async def _runs(self, seen: Seen, project: ProjectName, which: str) -> tuple[Seen, float]:
        last, by, page = await self._service.last_used(project.project, which)
        used = tuple(
            replace(one, history_read=True, last_used=last, used_by=by) if one.id == which else one
            for one in seen.connections
        )
        return replace(seen, connections=used), page.pause

    _STEPS = {  # noqa: RUF012 - a table, nothing of one turn
        "connections": _connections,
        "variable groups": _groups,
        "pipelines": _pipelines,
        "application": _application,
        "runs": _runs,
    }


def _more(seen: Seen, found: tuple[Variable, ...], page: Page, what: str) -> tuple[Seen, float]:
    tasks = (Task(what, page.following), *seen.tasks) if page.following else seen.tasks
    return replace(seen, variables=(*seen.variables, *found), tasks=tasks), page.pause


def _unseen(error: PermanentError, project: ProjectName, task: Task) -> Unseen:
    return Unseen(
        organization=project.organization,
        project=project.project,
        code=error.code,
        message=error.message,
        what_to_do=error.what_to_do,
        what=f"{task.what} {task.which}".strip() if task.what in {"application", "runs"} else task.what,
    )
