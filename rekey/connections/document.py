"""Knows what the JSON of an azurerm service connection says of it: how it signs in, as whom, under which issuer.

Names of parameters come in any case. Secret parameters are null in every answer, and none of them is taken.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from rekey.connections.found import Connection, Way
from rekey.settings import GUID

_OLDEST = 2000
"""Years before are what .NET says for no date."""
_WAYS = {
    "workloadidentityfederation": Way.FEDERATED,
    "managedserviceidentity": Way.MANAGED_IDENTITY,
    "publishprofile": Way.PUBLISH_PROFILE,
}


class Named(msgspec.Struct, rename="camel"):
    """Something with a name."""

    name: str | None = None


class _Reference(msgspec.Struct, rename="camel"):
    project_reference: Named | None = None


class _Authorization(msgspec.Struct):
    scheme: str | None = None
    parameters: dict[str, Any] | None = None


class Endpoint(msgspec.Struct, rename="camel"):
    """A service endpoint, as far as it is looked at."""

    id: str
    name: str | None = None
    data: dict[str, Any] | None = None
    authorization: _Authorization | None = None
    service_endpoint_project_references: list[_Reference] | None = None
    creation_date: datetime | None = None
    modification_date: datetime | None = None
    is_disabled: bool | None = None


def connection(organization: str, project: str, found: Endpoint) -> Connection:
    """Return what a project's service endpoint says of itself."""
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
        created=moment(found.creation_date),
        changed=moment(found.modification_date),
        revert_until=date(data.get("revertschemedeadline", "")),
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


def date(text: str) -> datetime | None:
    """Return a date that Azure DevOps keeps as text, None for what is none."""
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return None


def moment(found: datetime | None) -> datetime | None:
    """Return a date of Azure DevOps as an aware one, None for what stands for no date."""
    if found is None or found.year < _OLDEST:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
