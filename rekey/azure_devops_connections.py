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
from rekey.connections.found import Connection, Variable
from rekey.connections.secret_names import looks_secret

GRANT = f"{MEMBERSHIP}Reader in the project: its connections, pipelines and variable groups are only read."
_WITH_DATES = {"api-version": "7.2-preview.4"}
_RUNS = "50"
"""Of one connection; the newest come first."""
_AT_ONCE = "200"
_LONGEST = 256
"""Characters of a name that are kept: variables may be called anything."""


class _Run(msgspec.Struct, rename="camel"):
    start_time: datetime | None = None
    finish_time: datetime | None = None


class _Record(msgspec.Struct):
    data: _Run | None = None


class _Value(msgspec.Struct, rename="camel"):
    is_secret: bool | None = None


class _Holder(Named, rename="camel"):
    """A variable group, or a pipeline."""

    variables: dict[str, _Value | None] | None = None


class Connections(AzureDevOps):
    """What is read of one organization's projects."""

    async def connections(self, organization: str, project: str) -> tuple[tuple[Connection, ...], Page]:
        """Return the project's azurerm connections, without their runs."""
        query = {"type": "azurerm", **_WITH_DATES}
        page = await self.page(f"{below(project)}/serviceendpoint/endpoints", query)
        return tuple(connection(organization, project, one) for one in self._read(page, Endpoint)), page

    async def last_used(self, project: str, endpoint_id: str) -> tuple[datetime | None, Page]:
        """Return when the newest run ended that used a connection, None if there is none."""
        page = await self.page(f"{below(project)}/serviceendpoint/{endpoint_id}/executionhistory", {"top": _RUNS})
        runs = [record.data for record in self._read(page, _Record) if record.data]
        ends = [end for run in runs if (end := moment(run.finish_time or run.start_time))]
        return max(ends, default=None), page

    async def variable_groups(
        self, organization: str, project: str, following: str
    ) -> tuple[tuple[Variable, ...], Page]:
        """Return the variables of a page of variable groups that should be secret and aren't."""
        page = await self.page(f"{below(project)}/distributedtask/variablegroups", _continued(following))
        return tuple(self._telling(page, organization, project, "variable group")), page

    async def pipelines(self, organization: str, project: str, following: str) -> tuple[tuple[Variable, ...], Page]:
        """Return the same of a page of pipelines."""
        query = {"includeAllProperties": "true", **_continued(following)}
        page = await self.page(f"{below(project)}/build/definitions", query)
        return tuple(self._telling(page, organization, project, "pipeline")), page

    def _telling(self, page: Page, organization: str, project: str, what: str) -> Iterable[Variable]:
        for holder in self._read(page, _Holder):
            for name, variable in (holder.variables or {}).items():
                if looks_secret(name) and not (variable and variable.is_secret):
                    place = f"{what} {(holder.name or '')[:_LONGEST]}"
                    yield Variable(organization=organization, project=project, place=place, name=name[:_LONGEST])

    def _read[T](self, page: Page, kind: type[T]) -> list[T]:
        try:
            return msgspec.convert(page.items, list[kind])  # type: ignore[valid-type]
        except msgspec.ValidationError:
            raise malformed(self._where, repeatable=True) from None


def _continued(following: str) -> dict[str, str]:
    return {"$top": _AT_ONCE, **({"continuationToken": following} if following else {})}
