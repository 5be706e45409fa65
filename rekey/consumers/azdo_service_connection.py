"""Puts a new application password into an Azure DevOps service connection (`azdo-service-connection://org/project/name`).

Sources: https://learn.microsoft.com/rest/api/azure/devops/serviceendpoint (7.1). The key is always sent, because a GET
hides it; every other field, known or not, is written back as it was read. It is confirmed by `endpointproxy` with the
data source TestConnection, which makes Azure DevOps itself sign in: what the portal's Verify button does.
"""

import re
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

import msgspec

from rekey.azure_devops import GRANT, AzureDevOps
from rekey.clients import Clients
from rekey.errors import InputError, NotYetError, PermanentError, ScopeError
from rekey.model import ConsumerTarget, Rotation
from rekey.ports import ConsumerFacts, Permission
from rekey.secret_value import SecretValue
from rekey.settings import Settings

SCHEME = "azdo-service-connection"
EXPECTED = f"{SCHEME}://<organization>/<project>/<connection name>"
ORGANIZATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?")
NAME = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|;#$&{}%+,@]{1,256}")
"""What a project or connection may be called: no control characters, nothing that ends a path or starts a query."""


class Place(msgspec.Struct, frozen=True):
    """Where a service connection is."""

    organization: str
    project: str
    name: str

    @property
    def uri(self) -> str:
        """Return the normal form."""
        return f"{SCHEME}://{self.organization.lower()}/{quote(self.project)}/{quote(self.name)}"


class AzdoServiceConnection:
    """A service connection of scheme ServicePrincipal that authenticates with a key."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("azure-devops", "Service connection: Administrator", "writing the new key, testing it", GRANT),
    )

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        place = _place(uri)
        if not settings.allows_project(vault, place.organization, place.project):
            allowed = f"an organization and project REKEY_SCOPES binds to vault {vault}"
            raise ScopeError("Azure DevOps project", f"{place.organization}/{place.project}", allowed)
        return place.uri

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:
        """Check that the connection exists, may be administered and holds a key of this application."""
        place = _place(uri)
        organization = self._organization(place)
        endpoint = await organization.endpoint_named(place.project, place.name)
        if endpoint is None:
            raise PermanentError("no-connection", f"there is no {uri} that the app's identity can see", GRANT)
        _require_key_of(rotation, uri, endpoint)
        if not await organization.may_administer(_project_id(endpoint, place), endpoint["id"]):
            raise PermanentError("not-administrator", f"the app's identity may not administer {uri}", GRANT)
        return ConsumerFacts(object_id=f"{endpoint['id']}")

    async def update(self, rotation: Rotation, target: ConsumerTarget, value: SecretValue) -> None:
        """Read the connection, set the key, write the whole object back, compare what must not have changed."""
        place = _place(target.uri)
        organization = self._organization(place)
        endpoint = await organization.endpoint(place.project, target.object_id)
        if endpoint is None:
            raise PermanentError("no-connection", f"{target.uri} was deleted meanwhile", "Remove it from the tags.")
        _require_key_of(rotation, target.uri, endpoint)
        authorization = endpoint["authorization"]
        parameters = {**authorization["parameters"], "serviceprincipalkey": value.reveal()}
        changed = {**endpoint, "authorization": {**authorization, "parameters": parameters}}
        _require_same(endpoint, await organization.update_endpoint(changed), target.uri)

    async def confirm(self, rotation: Rotation, target: ConsumerTarget) -> str:  # noqa: ARG002 - the port's signature
        """Let Azure DevOps sign in with what the connection now holds."""
        place = _place(target.uri)
        works, said = await self._organization(place).test_connection(place.project, target.object_id)
        if works:
            return "Azure DevOps signed in with it (TestConnection)"
        raise NotYetError("not-confirmed", f"Azure DevOps could not sign in through {target.uri}{_entra_code(said)}")

    def _organization(self, place: Place) -> AzureDevOps:
        origin = self._clients.settings.cloud.azure_devops
        return AzureDevOps(self._clients.azure_devops(), origin, place.organization)


def _project_id(endpoint: dict[str, Any], place: Place) -> str:
    references = [r.get("projectReference") or {} for r in endpoint.get("serviceEndpointProjectReferences") or ()]
    for reference in references:
        if str(reference.get("name", "")).lower() == place.project.lower():
            return str(reference.get("id"))
    raise NotYetError("malformed-answer", f"{place.uri}: the service named no reference to its own project")


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


def _entra_code(said: str) -> str:
    """Return only Entra's code of what was said: the rest may quote what it likes."""
    found = re.search(r"AADSTS\d+", said)
    return f" ({found.group()})" if found else ""


def _place(uri: str) -> Place:
    # urlsplit would drop a space in front, and control characters anywhere.
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        raise InputError("service connection", uri, f"{EXPECTED}, percent-encoded")
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise InputError("service connection", uri, EXPECTED) from None
    segments = [unquote(s) for s in parts.path.split("/")[1:]]
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or ":" in parts.netloc)
    if parts.scheme != SCHEME or not plain or len(segments) != 2 or not ORGANIZATION.fullmatch(parts.netloc):
        raise InputError("service connection", uri, EXPECTED)
    if not all(NAME.fullmatch(s) and s.isprintable() and s == s.strip() and s not in {".", ".."} for s in segments):
        raise InputError("service connection", uri, f"{EXPECTED}, with names Azure DevOps allows")
    return Place(parts.netloc, *segments)
