"""Knows how the document of a service connection changes on the way to needing no secret; every other field survives.

A document is what Azure DevOps answers: it may have fields that nobody here knows, and they are written back.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rekey.connections import document
from rekey.connections.found import Connection
from rekey.errors import NotYetError
from rekey.secret_value import SecretValue
from rekey.settings import GUID

FEDERATED, SECRET = "WorkloadIdentityFederation", "ServicePrincipal"
AZURERM = "azurerm"
_DEADLINE = "revertschemedeadline"
_OF_ONE_PRINCIPAL = frozenset(
    {_DEADLINE, "identitytype", "appobjectid", "spnobjectid", "azurespnroleassignmentid", "azurespnpermissions"}
)
"""Data (lower case) that Azure DevOps keeps about whom a connection signed in as before."""
_LONGEST_DESCRIPTION = 800

type Document = dict[str, Any]


class ProjectRef(msgspec.Struct, frozen=True):
    """A project that has the connection, and what the connection is called there."""

    id: str
    project: str
    connection: str


def read(organization: str, project: str, found: Document) -> Connection:
    """Return what the document says; NotYetError if it can't be read, or is about no connection with an id."""
    try:
        connection = document.connection(organization, project, msgspec.convert(found, document.Endpoint))
    except msgspec.ValidationError:
        raise _unreadable(organization) from None
    if not GUID.fullmatch(connection.id):
        raise _unreadable(organization)
    return connection


def named(listed: Iterable[Document], name: str) -> Document | None:
    """Return the connection of that name, in any case; None if there is none."""
    return next((one for one in listed if str(one.get("name", "")).lower() == name.lower()), None)


def is_azurerm(found: Document) -> bool:
    """Tell whether it is a connection to Azure Resource Manager."""
    return str(found.get("type", "")).lower() == AZURERM


def projects(found: Document) -> tuple[ProjectRef, ...]:
    """Return the projects that have it, the one that owns it first, which is how the service lists them."""
    there = []
    for one in _references(found):
        project = one.get("projectReference")
        if isinstance(project, dict) and GUID.fullmatch(str(project.get("id"))):
            name = str(one.get("name") or found.get("name") or "")
            there.append(ProjectRef(str(project["id"]).lower(), str(project.get("name") or project["id"]), name))
    if not there:
        raise NotYetError("malformed-answer", "Azure DevOps named no project that has the connection")
    return tuple(there)


def converted(found: Document, scheme: str) -> Document:
    """Return the document that asks for another scheme. A deadline can't be told: the service refuses it."""
    data = {name: value for name, value in (found.get("data") or {}).items() if name.lower() != _DEADLINE}
    return {**found, "data": data, "authorization": {**(found.get("authorization") or {}), "scheme": scheme}}


def with_key(found: Document, value: SecretValue) -> Document:
    """Return the connection as one that signs in with an application's key: for the body of one request, never kept."""
    given = (found.get("authorization") or {}).get("parameters") or {}
    kept = {name: one for name, one in given.items() if name.lower() in {"tenantid", "serviceprincipalid", "scope"}}
    parameters = {**kept, "authenticationType": "spnKey", "serviceprincipalkey": value.reveal()}
    data = {
        name: one for name, one in (found.get("data") or {}).items() if name.lower() not in {_DEADLINE, "identitytype"}
    }
    return {**found, "data": data, "authorization": {"scheme": SECRET, "parameters": parameters}}


def beside(found: Document, name: str, label: str, client_id: str, places: tuple[ProjectRef, ...]) -> Document:
    """Return a federated connection to the same scope, which signs in as `client_id`, for the same projects.

    Its description says whose place it takes: an app that keeps no record of it has to know, too.
    """
    given = (found.get("authorization") or {}).get("parameters") or {}
    kept = {key: value for key, value in given.items() if key.lower() in {"tenantid", "scope"} and value is not None}
    data = {key: value for key, value in (found.get("data") or {}).items() if key.lower() not in _OF_ONE_PRINCIPAL}
    instead = _instead_of(str(found.get("name") or ""))
    about = str(found.get("description") or "")[: _LONGEST_DESCRIPTION - len(instead)]
    wanted = new(name, f"{instead}\n{label}", client_id, places, about)
    wanted["authorization"]["parameters"] |= kept
    return {**wanted, "url": found.get("url"), "data": {**_without(data, "creationmode"), "creationMode": "Manual"}}


def new(name: str, label: str, client_id: str, places: tuple[ProjectRef, ...], about: str = "") -> Document:
    """Return what every connection that Rekey makes has; address, tenant and scope are for the caller to add."""
    description = f"{about[:_LONGEST_DESCRIPTION]}\n{label}".strip()
    return {
        "name": name,
        "type": AZURERM,
        "description": description,
        "authorization": {"scheme": FEDERATED, "parameters": {"serviceprincipalid": client_id}},
        "isShared": len(places) > 1,
        "isReady": True,
        "serviceEndpointProjectReferences": [
            {"projectReference": {"id": one.id, "name": one.project}, "name": name, "description": description}
            for one in places
        ],
    }


def takes_place_of(found: Document, name: str, labels: str) -> bool:
    """Tell whether Rekey made it in place of the connection of that name; `labels` is how that one's labels begin."""
    lines = [line.strip().lower() for line in str(found.get("description") or "").splitlines()]
    return _instead_of(name).lower() in lines and any(line.startswith(labels.lower()) for line in lines)


def _instead_of(name: str) -> str:
    return f"In place of {name}"


def has_label(found: Document, label: str) -> bool:
    """Tell whether the description has the label as a word of its own: it is what says that Rekey made it."""
    return any(label in str(one.get("description") or "").split() for one in (found, *_references(found)))


def _references(found: Document) -> list[Document]:
    listed = found.get("serviceEndpointProjectReferences")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _without(data: Mapping[str, Any], name: str) -> Document:
    return {key: value for key, value in data.items() if key.lower() != name}


def _unreadable(organization: str) -> NotYetError:
    return NotYetError("malformed-answer", f"Azure DevOps organization {organization}: the answer can't be read")
