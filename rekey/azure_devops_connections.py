"""Knows how Azure DevOps lists a project's azurerm connections, their runs, and the variables of the project.

Connections are asked for by 7.2's preview: 7.1 has no dates. Of variables only names are taken: the values of those
that aren't secret are in the answers.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from rekey.azure_devops import MEMBERSHIP, AzureDevOps, Page, below
from rekey.azure_errors import malformed
from rekey.connections.document import Endpoint, Named, connection, moment
from rekey.connections.found import UNKNOWN, Connection, Pool, Variable
from rekey.connections.secret_names import looks_secret

GRANT = f"{MEMBERSHIP}Reader in the project: its connections, pipelines and variable groups are only read."
_WITH_DATES = {"api-version": "7.2-preview.4"}
_RUNS = "50"
"""Of one connection; the newest come first."""
_AT_ONCE = "200"
_LONGEST = 256
"""Characters of a name that are kept: variables may be called anything."""


class _Numbered(msgspec.Struct):
    id: int | None = None


class _Run(msgspec.Struct, rename="camel"):
    plan_type: str | None = None
    definition: _Numbered | None = None
    start_time: datetime | None = None
    finish_time: datetime | None = None


class _Record(msgspec.Struct):
    data: _Run | None = None


class _Value(msgspec.Struct, rename="camel"):
    is_secret: bool | None = None


class _Holder(Named, rename="camel"):
    """A variable group, or a pipeline."""

    variables: dict[str, _Value | None] | None = None


class _Pool(Named, rename="camel"):
    is_hosted: bool | None = None


class _Queue(msgspec.Struct):
    pool: _Pool | None = None


class _Pipeline(_Holder, rename="camel"):
    id: int | None = None
    queue: _Queue | None = None


class Connections(AzureDevOps):
    """What is read of one organization's projects."""

    async def connections(self, organization: str, project: str) -> tuple[tuple[Connection, ...], Page]:
        """Return the project's azurerm connections, without their runs."""
        query = {"type": "azurerm", **_WITH_DATES}
        page = await self.page(f"{below(project)}/serviceendpoint/endpoints", query)
        return tuple(connection(organization, project, one) for one in self._read(page, Endpoint)), page

    async def last_used(self, project: str, endpoint_id: str) -> tuple[datetime | None, tuple[int, ...], Page]:
        """Return when the newest run ended that used a connection, None if there is none, and which pipelines did.

        A pipeline is told by its id; 0 is what isn't one, as a release.
        """
        page = await self.page(f"{below(project)}/serviceendpoint/{endpoint_id}/executionhistory", {"top": _RUNS})
        runs = [record.data for record in self._read(page, _Record) if record.data]
        ends = [end for run in runs if (end := moment(run.finish_time or run.start_time))]
        return max(ends, default=None), tuple(dict.fromkeys(_pipeline_of(run) for run in runs)), page

    async def variable_groups(
        self, organization: str, project: str, following: str
    ) -> tuple[tuple[Variable, ...], Page]:
        """Return the variables of a page of variable groups that should be secret and aren't."""
        page = await self.page(f"{below(project)}/distributedtask/variablegroups", _continued(following))
        return tuple(_telling(self._read(page, _Holder), organization, project, "variable group")), page

    async def pipelines(
        self, organization: str, project: str, following: str
    ) -> tuple[tuple[Variable, ...], dict[int, Pool], Page]:
        """Return the same of a page of pipelines, and by their ids the pools that they run on."""
        query = {"includeAllProperties": "true", **_continued(following)}
        page = await self.page(f"{below(project)}/build/definitions", query)
        found = self._read(page, _Pipeline)
        pools = {one.id: _pool(one) for one in found if one.id}
        return tuple(_telling(found, organization, project, "pipeline")), pools, page

    def _read[T](self, page: Page, kind: type[T]) -> list[T]:
        try:
            return msgspec.convert(page.items, list[kind])  # type: ignore[valid-type]
        except msgspec.ValidationError:
            raise malformed(self._where, repeatable=True) from None


def _telling(holders: Iterable[_Holder], organization: str, project: str, what: str) -> Iterable[Variable]:
    for holder in holders:
        for name, variable in (holder.variables or {}).items():
            if looks_secret(name) and not (variable and variable.is_secret):
                place = f"{what} {(holder.name or '')[:_LONGEST]}"
                yield Variable(organization=organization, project=project, place=place, name=name[:_LONGEST])


def _pipeline_of(run: _Run) -> int:
    is_build = (run.plan_type or "").lower() == "build"
    return (run.definition.id or 0) if is_build and run.definition else 0


def _pool(pipeline: _Pipeline) -> Pool:
    """Return where it runs by its definition; a YAML file may say otherwise for a job."""
    pool = pipeline.queue.pool if pipeline.queue else None
    return Pool((pool.name or "")[:_LONGEST], hosted=bool(pool.is_hosted)) if pool else UNKNOWN


def _continued(following: str) -> dict[str, str]:
    return {"$top": _AT_ONCE, **({"continuationToken": following} if following else {})}
