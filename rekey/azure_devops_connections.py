"""Knows how Azure DevOps lists a project's azurerm connections, their runs, and the variables of the project.

Connections are asked for by 7.2's preview: 7.1 has no dates. Of variables only names are taken: the values of those
that aren't secret are in the answers.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from rekey.azure_devops import MEMBERSHIP, AzureDevOps, Page, below
from rekey.azure_errors import malformed
from rekey.connections.found import Connection, Variable, Way
from rekey.connections.secret_names import looks_secret
from rekey.settings import GUID

GRANT = f"{MEMBERSHIP}Reader in the project: its connections, pipelines and variable groups are only read."
_WITH_DATES = {"api-version": "7.2-preview.4"}
_RUNS = "50"
"""Of one connection; the newest come first."""
_AT_ONCE = "200"
_LONGEST = 256
"""Characters of a name that are kept: variables may be called anything."""
_OLDEST = 2000
"""Years before are what .NET says for no date."""
_WAYS = {
    "workloadidentityfederation": Way.FEDERATED,
    "managedserviceidentity": Way.MANAGED_IDENTITY,
    "publishprofile": Way.PUBLISH_PROFILE,
}


class _Named(msgspec.Struct, rename="camel"):
    name: str | None = None


class _Reference(msgspec.Struct, rename="camel"):
    project_reference: _Named | None = None


class _Authorization(msgspec.Struct):
    scheme: str | None = None
    parameters: dict[str, Any] | None = None


class _Endpoint(msgspec.Struct, rename="camel"):
    id: str
    name: str | None = None
    data: dict[str, Any] | None = None
    authorization: _Authorization | None = None
    service_endpoint_project_references: list[_Reference] | None = None
    creation_date: datetime | None = None
    modification_date: datetime | None = None
    is_disabled: bool | None = None


class _Run(msgspec.Struct, rename="camel"):
    start_time: datetime | None = None
    finish_time: datetime | None = None


class _Record(msgspec.Struct):
    data: _Run | None = None


class _Value(msgspec.Struct, rename="camel"):
    is_secret: bool | None = None


class _Holder(_Named, rename="camel"):
    """A variable group, or a pipeline."""

    variables: dict[str, _Value | None] | None = None


class Connections(AzureDevOps):
    """What is read of one organization's projects."""

    async def connections(self, organization: str, project: str) -> tuple[tuple[Connection, ...], Page]:
        """Return the project's azurerm connections, without their runs."""
        query = {"type": "azurerm", **_WITH_DATES}
        page = await self.page(f"{below(project)}/serviceendpoint/endpoints", query)
        return tuple(_connection(organization, project, one) for one in self._read(page, _Endpoint)), page

    async def last_used(self, project: str, endpoint_id: str) -> tuple[datetime | None, Page]:
        """Return when the newest run ended that used a connection, None if there is none."""
        page = await self.page(f"{below(project)}/serviceendpoint/{endpoint_id}/executionhistory", {"top": _RUNS})
        runs = [record.data for record in self._read(page, _Record) if record.data]
        ends = [end for run in runs if (end := _moment(run.finish_time or run.start_time))]
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


def _connection(organization: str, project: str, found: _Endpoint) -> Connection:
    authorization = found.authorization or _Authorization()
    given = {name.lower(): str(value) for name, value in (authorization.parameters or {}).items() if value is not None}
    data = {name.lower(): str(value) for name, value in (found.data or {}).items() if value is not None}
    references = found.service_endpoint_project_references or ()
    return Connection(
        organization=organization,
        project=project,
        id=found.id,
        name=found.name or "",
        way=_way(authorization.scheme or "", given),
        environment=data.get("environment", ""),
        application=_guid(given.get("serviceprincipalid", "")),
        tenant=_guid(given.get("tenantid", "")),
        issuer=given.get("workloadidentityfederationissuer", ""),
        subject=given.get("workloadidentityfederationsubject", ""),
        created=_moment(found.creation_date),
        changed=_moment(found.modification_date),
        revert_until=_date(data.get("revertschemedeadline", "")),
        disabled=bool(found.is_disabled),
        projects=tuple(r.project_reference.name or "" for r in references if r.project_reference),
        automatic=data.get("creationmode", "").lower() == "automatic",
    )


def _way(scheme: str, given: dict[str, str]) -> Way:
    if scheme.lower() == "serviceprincipal":
        return Way.CERTIFICATE if given.get("authenticationtype", "").lower() == "spncertificate" else Way.SECRET
    return _WAYS.get(scheme.lower(), Way.OTHER)


def _guid(text: str) -> str:
    return text.lower() if GUID.fullmatch(text) else ""


def _date(text: str) -> datetime | None:
    try:
        return _moment(datetime.fromisoformat(text))
    except ValueError:
        return None


def _moment(found: datetime | None) -> datetime | None:
    if found is None or found.year < _OLDEST:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _continued(following: str) -> dict[str, str]:
    return {"$top": _AT_ONCE, **({"continuationToken": following} if following else {})}
