"""Knows what a PUT of a service connection must carry, and what it does to the stored one."""

import json
from datetime import datetime
from typing import Any

from local.azure import azuredevops_federation as federation
from local.azure.azuredevops_errors import invalid, missing
from local.azure.azuredevops_state import FIELDS_OF_7_2, Endpoint, Organization, Update, split_secrets

_REQUIRED = ("id", "name", "type", "url", "authorization", "data", "serviceEndpointProjectReferences")
_READ_ONLY = ("createdBy", "creationDate", "owner")


def parsed_endpoint(raw: bytes, stored: Endpoint, organization: Organization) -> dict[str, Any]:
    """Return the body; the whole connection is required, so a missing part is a 400 that names it."""
    body = checked_endpoint(raw, organization, _REQUIRED)
    if str(body["id"]).lower() != stored.id:
        raise invalid(f"The id in the body, {body['id']}, is not the one of the path, {stored.id}.")
    return body


def checked_endpoint(raw: bytes, organization: Organization, required: tuple[str, ...]) -> dict[str, Any]:
    """Return a connection that a caller sent, with all that is required of it; else a 400 that names what isn't."""
    try:
        body = json.loads(raw)
    except ValueError:
        raise invalid("The request body is not JSON.") from None
    if not isinstance(body, dict):
        raise missing("endpoint")
    for field in required:
        if body.get(field) in (None, "", []):
            raise missing(f"endpoint.{field}")
    _check_parts(body)
    _check_references(body["serviceEndpointProjectReferences"], organization)
    return body


def _check_parts(body: dict[str, Any]) -> None:
    if not isinstance(body["authorization"], dict) or not body["authorization"].get("scheme"):
        raise missing("endpoint.authorization.scheme")
    if not isinstance(body["authorization"].get("parameters"), dict):
        raise missing("endpoint.authorization.parameters")
    if not isinstance(body["data"], dict):
        raise missing("endpoint.data")


def _check_references(references: Any, organization: Organization) -> None:
    for reference in references if isinstance(references, list) else [None]:
        project = reference.get("projectReference") if isinstance(reference, dict) else None
        if not isinstance(project, dict) or not project.get("id"):
            raise missing("endpoint.serviceEndpointProjectReferences.projectReference")
        if organization.project(str(project["id"])) is None:
            raise invalid(f"The project {project['id']} of serviceEndpointProjectReferences does not exist.")


def update(endpoint: Endpoint, body: dict[str, Any], organization: Organization, by: str, at: datetime) -> None:
    """Replace the stored connection; fields this API doesn't know stay as given, what only it writes stays its own.

    A caller of 7.1 wasn't shown the fields of 7.2 and can't mean to clear them.
    """
    visible, given = split_secrets(body)
    if any(given.values()) and visible["data"].get("creationMode") == "Automatic":
        raise invalid(
            "The service connection was created automatically: its key can't be set. "
            "Change data.creationMode to Manual to use a key of your own."
        )
    secrets = _secrets(endpoint, given, organization.null_key)
    changed = secrets != endpoint.secrets
    former = endpoint.document["authorization"]
    own = {name: endpoint.document[name] for name in _READ_ONLY if name in endpoint.document}
    unseen = {name: endpoint.document[name] for name in FIELDS_OF_7_2 & endpoint.document.keys()}
    endpoint.document = {**unseen, **visible, **own, "modificationDate": at.isoformat()}
    endpoint.document["authorization"]["parameters"] |= _asserted(endpoint, former, organization)
    endpoint.secrets = secrets
    endpoint.updates.append(Update(by, at, changed))


def _asserted(endpoint: Endpoint, former: dict[str, Any], organization: Organization) -> dict[str, str]:
    """Return the issuer and subject of a federated connection: nobody can set them, a subject of names follows them."""
    if {former["scheme"], endpoint.document["authorization"]["scheme"]} != {federation.SCHEME}:
        return {}
    issuer, subject = former["parameters"][federation.ISSUER], former["parameters"][federation.SUBJECT]
    owner = endpoint.document["serviceEndpointProjectReferences"][0]
    if subject.startswith("sc://"):
        name = owner.get("name") or endpoint.document["name"]
        project = organization.project(owner["projectReference"]["id"])
        subject = federation.azure_devops_subject(organization.name, project.name if project else "", name)
    return {federation.ISSUER: issuer, federation.SUBJECT: subject}


def _secrets(endpoint: Endpoint, given: dict[str, Any], null_key: str) -> dict[str, str]:
    """Return what is stored from now on. What a null or absent key means isn't documented: a switch decides."""
    secrets = {name: str(value) for name, value in given.items() if value}
    absent = set(endpoint.secrets) - set(secrets)
    if not absent or null_key == "clears":
        return {**dict.fromkeys(absent, ""), **secrets}
    if null_key == "refuses":
        raise missing(f"endpoint.authorization.parameters.{min(absent)}")
    return {**endpoint.secrets, **secrets}
