"""Puts a new application password into an Azure DevOps service connection (`azdo-service-connection://org/project/name`).

Sources: https://learn.microsoft.com/rest/api/azure/devops/serviceendpoint (7.1). The key is always sent, because a GET
hides it; every other field, known or not, is written back as it was read. It is confirmed by `endpointproxy` with the
data source TestConnection, which makes Azure DevOps itself sign in: what the portal's Verify button does.
"""

from datetime import UTC
from typing import Any, ClassVar

from rekey.azdo_uri import Form, Place, bound, parsed
from rekey.azure_devops_endpoints import GRANT, ServiceEndpoints
from rekey.clients import Clients
from rekey.connections.document import date
from rekey.entra_advice import advice, explained
from rekey.errors import NotYetError, PermanentError
from rekey.model import ConsumerTarget, Rotation, When
from rekey.ports import ConsumerFacts, Handover, Permission
from rekey.settings import GUID, Settings

SCHEME = "azdo-service-connection"
_KEYLESS = {
    "workloadidentityfederation": "it signs in by workload identity federation",
    "managedserviceidentity": "it signs in with the managed identity of its agents",
}
FORM = Form(SCHEME, "service connection", f"{SCHEME}://<organization>/<project>/<connection name>")


class AzdoServiceConnection:
    """A service connection of scheme ServicePrincipal that authenticates with a key."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("azure-devops", "Service connection: Administrator", "writing the new key, testing it", GRANT),
    )
    when: ClassVar[When] = When.WITH_OTHERS

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        return bound(parsed(uri, FORM), vault, settings).uri

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:
        """Check that the connection exists, may be administered and holds a key of this application."""
        place = parsed(uri, FORM)
        organization = self._organization(place)
        endpoint = await organization.named(place.project, place.name)
        if endpoint is None:
            raise PermanentError("no-connection", f"there is no {uri} that the app's identity can see", GRANT)
        if keyless := _keyless(rotation, endpoint):
            return ConsumerFacts(object_id=f"{endpoint['id']}", keyless=keyless)
        _require_key_of(rotation, uri, endpoint)
        if not await organization.may_administer(_project_id(endpoint, place), endpoint["id"]):
            raise PermanentError("not-administrator", f"the app's identity may not administer {uri}", GRANT)
        return ConsumerFacts(object_id=f"{endpoint['id']}")

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str | None:
        """Read the connection, set the key, write the whole object back, compare what must not have changed.

        One that became federated meanwhile is left alone: return why.
        """
        place = parsed(target.uri, FORM)
        organization = self._organization(place)
        endpoint = await organization.endpoint(place.project, target.object_id)
        if endpoint is None:
            raise PermanentError("no-connection", f"{target.uri} was deleted meanwhile", "Remove it from the tags.")
        if keyless := _keyless(rotation, endpoint):
            return keyless
        _require_key_of(rotation, target.uri, endpoint)
        authorization = endpoint["authorization"]
        parameters = {**authorization["parameters"], "serviceprincipalkey": (await handover.value()).reveal()}
        changed = {**endpoint, "authorization": {**authorization, "parameters": parameters}}
        _require_same(endpoint, await organization.update(changed), target.uri)
        return None

    async def confirm(
        self,
        rotation: Rotation,  # noqa: ARG002 - the port's signature
        target: ConsumerTarget,
        handover: Handover,  # noqa: ARG002 - the key can't be read back, only used
    ) -> str:
        """Let Azure DevOps sign in with what the connection now holds."""
        place = parsed(target.uri, FORM)
        works, said = await self._organization(place).test_connection(place.project, target.object_id)
        if works:
            return "Azure DevOps signed in with it (TestConnection)"
        found = advice(said)
        if found and found.signed_in:
            return f"Azure DevOps signed in with it (TestConnection); {found}"
        why = explained(said)
        raise NotYetError(
            "not-confirmed", f"Azure DevOps could not sign in through {target.uri}{f': {why}' if why else ''}"
        )

    def _organization(self, place: Place) -> ServiceEndpoints:
        origin = self._clients.settings.cloud.azure_devops
        return ServiceEndpoints(self._clients.azure_devops(), origin, place.organization, GRANT)


def _project_id(endpoint: dict[str, Any], place: Place) -> str:
    references = [r.get("projectReference") or {} for r in endpoint.get("serviceEndpointProjectReferences") or ()]
    for reference in references:
        if str(reference.get("name", "")).lower() == place.project.lower():
            return str(reference.get("id"))
    raise NotYetError("malformed-answer", f"{place.uri}: the service named no reference to its own project")


def _keyless(rotation: Rotation, endpoint: dict[str, Any]) -> str:
    """Return why the connection needs no key any more, "" if it needs one or never could have had this one."""
    way = _KEYLESS.get(str((endpoint.get("authorization") or {}).get("scheme", "")).lower(), "")
    if not way or not GUID.fullmatch(rotation.policy.credential.target):  # a connection holds keys of applications only
        return ""
    until = date(str((endpoint.get("data") or {}).get("revertSchemeDeadline", "")))
    return f"{way}; until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC it can be converted back" if until else way


def _require_key_of(rotation: Rotation, uri: str, endpoint: dict[str, Any]) -> None:
    """Refuse a connection that isn't this application's, or that has no key to replace."""
    authorization = endpoint.get("authorization") or {}
    scheme = authorization.get("scheme")
    if scheme != "ServicePrincipal":
        raise PermanentError(
            "no-key-here", f"{uri} uses scheme {scheme}, which holds no key", "Remove it from the tags."
        )
    parameters = authorization.get("parameters") or {}
    if str(parameters.get("authenticationType") or "spnKey") != "spnKey":
        raise PermanentError("no-key-here", f"{uri} authenticates with a certificate", "Remove it from the tags.")
    holds = str(parameters.get("serviceprincipalid", "")).lower()
    if holds != rotation.policy.credential.target:
        raise PermanentError(
            "other-application", f"{uri} belongs to application {holds or 'unknown'}", "Correct the secret's tags."
        )
    if (endpoint.get("data") or {}).get("creationMode") == "Automatic":
        raise PermanentError(
            "created-automatically",
            f"{uri} was created automatically, so that Azure DevOps manages its key",
            "Convert it to workload identity federation, or recreate it with an existing application.",
        )


def _require_same(before: dict[str, Any], after: dict[str, Any], uri: str) -> None:
    """Compare what the write must not have changed."""
    for field in ("id", "type", "url"):  # not the name: a shared connection may have another in its owner's project
        if after.get(field) != before.get(field):
            raise NotYetError("changed-meanwhile", f"{uri}: {field} changed with the write")
