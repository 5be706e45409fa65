"""Knows what a POST has to carry to make a service connection, and what Azure DevOps adds of its own.

https://learn.microsoft.com/rest/api/azure/devops/serviceendpoint/endpoints/create. Of azurerm, what a program can
make: federated connections and those with a key, both Manual. Unconfirmed and chosen: the words about Automatic ones,
and that issuer and subject in a body are ignored.
"""

from typing import Any

from local.azure import azuredevops_federation as federation
from local.azure.azuredevops_call import Call
from local.azure.azuredevops_conversion import DEADLINE
from local.azure.azuredevops_errors import invalid, missing, name_taken
from local.azure.azuredevops_state import SECRET_PARAMETERS, Endpoint, Organization, new_id, split_secrets
from local.azure.azuredevops_update import checked_endpoint
from local.azure.cloud import Cloud

_REQUIRED = ("name", "type", "url", "authorization", "data", "serviceEndpointProjectReferences")
_KEY = "ServicePrincipal"
_PARAMETERS = {
    federation.SCHEME: ("tenantid", "serviceprincipalid"),
    _KEY: ("tenantid", "serviceprincipalid", "serviceprincipalkey"),
}
"""Required authorization parameters by scheme."""
_SCOPES = {
    "Subscription": ("environment", "subscriptionId", "subscriptionName"),
    "ManagementGroup": ("environment", "managementGroupId", "managementGroupName"),
}
"""Required data by scope level."""


def parsed_creation(raw: bytes, organization: Organization) -> dict[str, Any]:
    """Return the body that makes a connection; a 400 says what is wrong with it."""
    body = checked_endpoint(raw, organization, _REQUIRED)
    kind, scheme = body["type"], body["authorization"]["scheme"]
    if kind.lower() != "azurerm" or scheme not in _PARAMETERS:
        raise invalid(f"Unable to find service connection type '{kind}' using authentication scheme '{scheme}'.")
    _check_data(body["data"])
    given = {name.lower(): value for name, value in body["authorization"]["parameters"].items()}
    _require(given, _PARAMETERS[scheme], "authorization.parameters")
    unexpected = {DEADLINE} & body["data"].keys()
    if scheme == federation.SCHEME:
        unexpected |= given.keys() & SECRET_PARAMETERS
    if unexpected:
        raise invalid(
            f"Following fields in the service connection are not expected: {', '.join(sorted(unexpected))}. "
            "Only fields that are defined in the service connection's contribution type as inputs can be specified."
        )
    return body


def _check_data(data: dict[str, Any]) -> None:
    if data.get("creationMode") != "Manual":
        raise invalid(
            "An Azure service connection with creationMode Automatic is made in the portal by somebody who may "
            "register applications. Set data.creationMode to Manual."
        )
    level = data.get("scopeLevel")
    if level not in _SCOPES:
        raise missing("endpoint.data.scopeLevel")
    _require(data, _SCOPES[level], "data")


def _require(part: dict[str, Any], names: tuple[str, ...], at: str) -> None:
    for name in names:
        if not part.get(name):
            raise missing(f"endpoint.{at}.{name}")


def create(cloud: Cloud, call: Call, body: dict[str, Any]) -> Endpoint:
    """Make a connection of a body and return it; the 409 if one of its projects has that name already."""
    organization = call.organization
    references = body["serviceEndpointProjectReferences"]
    owners = [organization.existing(reference["projectReference"]["id"]) for reference in references]
    for reference, project in zip(references, owners, strict=True):
        name = reference.setdefault("name", body["name"])
        if name.lower() in {str(e.name_in(project.id)).lower() for e in organization.endpoints_in(project)}:
            raise name_taken(name)
        reference["projectReference"] = {"id": project.id, "name": project.name}
    visible, secrets = split_secrets(body)
    identifier, now = new_id(), cloud.clock.now().isoformat()
    if visible["authorization"]["scheme"] == federation.SCHEME:
        visible["authorization"]["parameters"] |= federation.announced(cloud.tenant, organization.id, identifier)
    own = {
        "id": identifier,
        "createdBy": call.member(),
        "isShared": len(references) > 1,
        "isReady": True,
        "isOutdated": False,
        "isDisabled": bool(visible.get("isDisabled")),
        "creationDate": now,
        "modificationDate": now,
        "modifiedBy": call.member(),
        "operationStatus": {"state": "Ready", "statusMessage": ""},
        "owner": "library",
    }
    keys = {parameter: str(value) for parameter, value in secrets.items()}
    made = Endpoint({"description": "", **visible, **own}, keys, identifier, creator=call.caller.object_id)
    owners[0].endpoints[identifier] = made
    return made
