"""Knows Azure DevOps' execution history of a service connection: which runs of which pipelines used it, newest first.

https://learn.microsoft.com/rest/api/azure/devops/serviceendpoint/executionhistory (7.1). The history of a shared
connection is told by project. Names of pipelines are what others wrote: text to show, never to act on.
"""

from datetime import datetime, timedelta

import msgspec

from rekey.azure_devops import MEMBERSHIP, AzureDevOps, below
from rekey.azure_errors import malformed
from rekey.connections.document import moment

GRANT = f"{MEMBERSHIP}the role User on the service connection (Project settings, Service connections, Security)."
_AT_ONCE = "50"
_LONGEST_RUN = timedelta(days=1)
"""What began longer before isn't looked for: it is over."""
_PAGES = 40
"""At most: 2,000 runs tell enough of a connection."""


class _Owner(msgspec.Struct):
    id: int | None = None
    name: str | None = None


class _Data(msgspec.Struct, rename="camel"):
    plan_type: str | None = None
    definition: _Owner | None = None
    owner: _Owner | None = None
    start_time: datetime | None = None
    finish_time: datetime | None = None
    result: str | None = None


class _Record(msgspec.Struct):
    data: _Data | None = None


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a connection: by which pipeline (`release`: a classic one), from when to when; `ended` None: not yet.

    `run` is the run's or release's number, `failed` how it ended.
    """

    pipeline: int
    name: str
    release: bool = False
    run: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    failed: bool = False


class Executions(AzureDevOps):
    """The execution histories of one organization's service connections."""

    async def of(self, project: str, endpoint_id: str, since: datetime | None = None) -> tuple[Execution, ...]:
        """Return the newest uses, 2,000 at most; those of more than a day before `since` need not be there."""
        path = f"{below(project)}/serviceendpoint/{endpoint_id}/executionhistory"
        found: list[Execution] = []
        async for page in self.pages(path, {"top": _AT_ONCE}, _PAGES):
            try:
                records = msgspec.convert(page.items, list[_Record])
            except msgspec.ValidationError:
                raise malformed(self._where, repeatable=True) from None
            read = [_execution(record.data) for record in records if record.data]
            found += read
            if since and all(one.began and one.began < since - _LONGEST_RUN for one in read):
                break
        return tuple(found)


def _execution(data: _Data) -> Execution:
    definition, owner = data.definition or _Owner(), data.owner or _Owner()
    return Execution(
        pipeline=definition.id or 0,
        name=definition.name or "",
        release=(data.plan_type or "").lower() == "release",
        run=owner.name or "",
        began=moment(data.start_time),
        ended=moment(data.finish_time),
        failed=(data.result or "").lower() == "failed",
    )
