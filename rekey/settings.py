"""The app's settings: read once from the environment, validated at start, the only allow-list there is.

A setting that can't be used stops the app with a SettingError that names it. Tags, events and HTTP bodies are written
by people with fewer rights than Rekey has: they choose among what is allowed here, never beyond.
"""

import functools
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from rekey.audit_settings import Audit, audit
from rekey.clouds import CLOUDS, Cloud
from rekey.errors import ScopeError, SettingError
from rekey.federation_settings import Federating, federating
from rekey.nightly_settings import Nightly, nightly
from rekey.setting_values import MAIL, addresses, given, https_origin, json_of, matching, required, words

if TYPE_CHECKING:
    from rekey.api_access import Access

VAULT_NAME = re.compile(r"(?=.{3,24}$)[a-zA-Z](?:[a-zA-Z0-9]|-(?!-))*[a-zA-Z0-9]")
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
DEPLOYMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_ORGANIZATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?")
_RESOURCE_PREFIX = rf"(?ai)/subscriptions/{GUID.pattern}(?:/[^/\s?#%\\]+)*"  # compiled where there are any
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")

type Name = Annotated[str, Meta(min_length=1, max_length=128)]

PLANES = ("vault", "graph", "azure-devops", "resource-manager", "mail", "storage")
"""The planes an identity of its own can be set for."""


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the secrets of `vaults` may name. An empty list allows nothing; names compare without case.

    `organizations` maps an Azure DevOps organization to its projects; `resources` are ARM id prefixes.
    """

    vaults: Annotated[tuple[Name, ...], Meta(min_length=1)]
    applications: tuple[Name, ...] = ()
    organizations: dict[str, tuple[Name, ...]] = {}
    resources: tuple[Name, ...] = ()

    def has_project(self, organization: str, project: str) -> bool:
        """Tell whether this scope has that Azure DevOps project."""
        return any(
            organization.lower() == name.lower() and project.lower() in {p.lower() for p in projects}
            for name, projects in self.organizations.items()
        )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the environment says, validated. Mail addresses and names are kept as written."""

    deployment: str
    cloud: Cloud
    tenant_id: str
    identities: dict[str, str]
    """Client id of the user-assigned identity per plane; empty: the developer's own sign-in."""
    scopes: tuple[Scope, ...]
    staging_vault: str
    operators: tuple[str, ...]
    mail_domains: tuple[str, ...]
    mail_endpoint: str
    mail_sender: str
    storage: str
    """A connection string, or the blob service's origin (https), of the app's own storage account."""
    nightly: Nightly = Nightly()
    audit: Audit = Audit()
    federating: Federating = Federating()

    def vaults(self) -> tuple[str, ...]:
        """Return every vault some scope allows, lower case, without repeats."""
        return tuple(dict.fromkeys(vault.lower() for scope in self.scopes for vault in scope.vaults))

    def scope_of(self, vault: str) -> tuple[Scope, ...]:
        """Return the scopes that bind this vault; a vault no scope names is a ScopeError."""
        found = tuple(s for s in self.scopes if vault.lower() in {v.lower() for v in s.vaults})
        if not found:
            raise ScopeError("vault", vault, f"one of the vaults in REKEY_SCOPES: {', '.join(self.vaults())}")
        return found

    def allows_application(self, vault: str, client_id: str) -> bool:
        """Tell whether secrets of that vault may name this application (client id)."""
        return any(client_id.lower() == a.lower() for s in self.scope_of(vault) for a in s.applications)

    def allows_organization(self, vault: str, organization: str) -> bool:
        """Tell whether secrets of that vault may name a project of this Azure DevOps organization."""
        return any(organization.lower() == name.lower() for s in self.scope_of(vault) for name in s.organizations)

    def allows_project(self, vault: str, organization: str, project: str) -> bool:
        """Tell whether secrets of that vault may name this Azure DevOps project."""
        return any(scope.has_project(organization, project) for scope in self.scope_of(vault))

    def allows_resource(self, vault: str, arm_id: str) -> bool:
        """Tell whether secrets of that vault may name this resource: at or below one of its scopes' ARM id prefixes."""
        below = f"{arm_id.lower()}/"
        return any(below.startswith(f"{prefix.lower()}/") for s in self.scope_of(vault) for prefix in s.resources)

    def binds(self, organization: str, project: str, *, application: str = "", resource: str = "") -> bool:
        """Tell whether one and the same scope has this Azure DevOps project and that application or ARM id.

        No vault is asked here: this is about connections that need no secret.
        """
        below = f"{resource.lower()}/"
        return any(
            (application and application.lower() in {a.lower() for a in scope.applications})
            or (resource and any(below.startswith(f"{prefix.lower()}/") for prefix in scope.resources))
            for scope in self.scopes
            if scope.has_project(organization, project)
        )

    def allows_address(self, address: str) -> bool:
        """Tell whether mail may be sent there: a domain of REKEY_MAIL_DOMAINS, or an operator."""
        found = MAIL.fullmatch(address)
        return found is not None and (
            found["domain"].lower() in {d.lower() for d in self.mail_domains}
            or address.lower() in {o.lower() for o in self.operators}
        )


class Partial(Settings, frozen=True, kw_only=True):
    """What a developer's machine knows of the app's settings: an empty list there is unknown, and allows anything.

    For looking at tags only: an app that ran on these would do whatever a tag says.
    """

    def scope_of(self, vault: str) -> tuple[Scope, ...]:
        """Return the scopes that bind this vault, none if no scopes are known."""
        return Settings.scope_of(self, vault) if self.scopes else ()

    def allows_application(self, vault: str, client_id: str) -> bool:
        """Tell whether nothing is known against this application."""
        return not self.scopes or Settings.allows_application(self, vault, client_id)

    def allows_organization(self, vault: str, organization: str) -> bool:
        """Tell whether nothing is known against this organization."""
        return not self.scopes or Settings.allows_organization(self, vault, organization)

    def allows_project(self, vault: str, organization: str, project: str) -> bool:
        """Tell whether nothing is known against this project."""
        return not self.scopes or Settings.allows_project(self, vault, organization, project)

    def allows_resource(self, vault: str, arm_id: str) -> bool:
        """Tell whether nothing is known against this resource."""
        return not self.scopes or Settings.allows_resource(self, vault, arm_id)

    def allows_address(self, address: str) -> bool:
        """Tell whether nothing is known against this address."""
        return MAIL.fullmatch(address) is not None if not self.mail_domains else Settings.allows_address(self, address)


def read(environ: Mapping[str, str]) -> Settings:
    """Return the settings in `environ`; the first one that can't be used is a SettingError."""
    cloud = _cloud(environ)
    return Settings(
        deployment=matching(environ, "REKEY_DEPLOYMENT", DEPLOYMENT, "1 to 20 of a-z, 0-9 and -"),
        cloud=cloud,
        tenant_id=matching(environ, "REKEY_TENANT_ID", GUID, "the Entra tenant's id, a GUID").lower(),
        identities=_identities(environ),
        scopes=(scopes := _scopes(environ)),
        staging_vault=_staging_vault(environ, scopes),
        operators=addresses(environ, "REKEY_OPERATORS"),
        mail_domains=_domains(environ),
        mail_endpoint=_mail_endpoint(environ, cloud),
        mail_sender=matching(environ, "REKEY_MAIL_SENDER", MAIL, "the sender's mail address"),
        storage=_storage(environ),
        nightly=nightly(environ),
        audit=audit(environ, {v.lower() for s in scopes for v in s.vaults}, cloud.storage_suffix),
        federating=federating(environ),
    )


def _staging_vault(environ: Mapping[str, str], scopes: tuple[Scope, ...]) -> str:
    """Values that are shown once are nobody's to tag, read or name but Rekey's."""
    name = matching(environ, "REKEY_STAGING_VAULT", VAULT_NAME, "a Key Vault name")
    if name.lower() in {vault.lower() for scope in scopes for vault in scope.vaults}:
        raise SettingError("REKEY_STAGING_VAULT", name, "a vault of Rekey's own, in none of REKEY_SCOPES")
    return name


@functools.cache
def settings() -> Settings:
    """Return this process's settings, read once."""
    return read(os.environ)


def operator_access(address: str = "") -> "Access":
    """Return where the operator API is, and the key to it, for a command: at `address`, else as REKEY_API says."""
    from rekey.api_access import access

    return access(os.environ, address)


def read_partial(environ: Mapping[str, str] | None = None) -> Partial:
    """Return what `environ` (the process's own by default) says of cloud, scopes and mail; the rest is left empty.

    What is missing is no error; what is there and can't be used is a SettingError.
    """
    known = os.environ if environ is None else environ
    return Partial(
        cloud=_cloud(known),
        scopes=_scopes(known) if given(known, "REKEY_SCOPES") else (),
        operators=addresses(known, "REKEY_OPERATORS") if given(known, "REKEY_OPERATORS") else (),
        mail_domains=_domains(known) if given(known, "REKEY_MAIL_DOMAINS") else (),
        deployment="",
        tenant_id="",
        staging_vault="",
        mail_endpoint="",
        mail_sender="",
        storage="",
        identities={},
    )


def _domains(environ: Mapping[str, str]) -> tuple[str, ...]:
    expected = "mail domains such as contoso.com, separated by commas"
    domains = words(environ, "REKEY_MAIL_DOMAINS", expected)
    for domain in domains:
        if not _DOMAIN.fullmatch(domain):
            raise SettingError("REKEY_MAIL_DOMAINS", domain, expected)
    return domains


def _cloud(environ: Mapping[str, str]) -> Cloud:
    text = given(environ, "REKEY_CLOUD") or "public"
    expected = f"one of {', '.join(CLOUDS)}, or a JSON object of endpoints"
    if text in CLOUDS:
        return CLOUDS[text]
    cloud = json_of("REKEY_CLOUD", text, Cloud, expected)
    for field in ("authority", "graph", "resource_manager", "azure_devops", "azure_devops_release", "vault_resource"):
        origin = getattr(cloud, field)
        if not re.fullmatch(f"https://{_HOST}", origin):
            raise SettingError(f"REKEY_CLOUD.{field}", origin, "an https origin such as https://host, without path")
    for field in ("vault_suffix", "mail_suffix", "storage_suffix"):
        suffix = getattr(cloud, field)
        if not re.fullmatch(_HOST, suffix):
            raise SettingError(f"REKEY_CLOUD.{field}", suffix, "a host name without a leading dot")
    return cloud


def _mail_endpoint(environ: Mapping[str, str], cloud: Cloud) -> str:
    expected = f"the Communication Services endpoint, https://<name>.{cloud.mail_suffix}"
    pattern = rf"https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.{re.escape(cloud.mail_suffix)}"
    return https_origin(environ, "REKEY_MAIL_ENDPOINT", pattern, expected)


def _identities(environ: Mapping[str, str]) -> dict[str, str]:
    """REKEY_IDENTITY_CLIENT_ID for every plane; REKEY_IDENTITIES, a JSON object, names another per plane."""
    default = given(environ, "REKEY_IDENTITY_CLIENT_ID")
    if not default and "IDENTITY_ENDPOINT" in environ:
        raise SettingError("REKEY_IDENTITY_CLIENT_ID", "", "the client id of the app's user-assigned identity")
    text = given(environ, "REKEY_IDENTITIES") or "{}"
    named = json_of("REKEY_IDENTITIES", text, dict[str, str], f"a JSON object with keys among {', '.join(PLANES)}")
    chosen = (dict.fromkeys(PLANES, default) if default else {}) | named
    for plane, client_id in chosen.items():
        if plane not in PLANES or not GUID.fullmatch(client_id):
            raise SettingError(
                "REKEY_IDENTITIES" if plane in named else "REKEY_IDENTITY_CLIENT_ID",
                f"{plane}: {client_id}",
                f"client ids (GUIDs) for planes among {', '.join(PLANES)}",
            )
    return chosen


def _scopes(environ: Mapping[str, str]) -> tuple[Scope, ...]:
    expected = "a JSON list of {vaults, applications, organizations: {name: [projects]}, resources}"
    text = required(environ, "REKEY_SCOPES", expected)
    scopes = json_of("REKEY_SCOPES", text, tuple[Scope, ...], expected)
    if not scopes:
        raise SettingError("REKEY_SCOPES", text, "at least one scope with at least one vault")
    for scope in scopes:
        for names, pattern, what in (
            (scope.vaults, VAULT_NAME, "Key Vault names: 3 to 24 letters, digits and single hyphens"),
            (scope.applications, GUID, "application (client) ids, GUIDs"),
            (scope.organizations, _ORGANIZATION, "Azure DevOps organizations by name, not by address"),
            (scope.resources, _RESOURCE_PREFIX, "ARM id prefixes, /subscriptions/<id>/..., without a slash at the end"),
        ):
            for name in names:
                if not re.fullmatch(pattern, name):
                    raise SettingError("REKEY_SCOPES", name, what)
    return scopes


def _storage(environ: Mapping[str, str]) -> str:
    """The app's own storage account, named as the Functions host names it: connection string or identity-based."""
    by_origin, by_name = "AzureWebJobsStorage__blobServiceUri", "AzureWebJobsStorage__accountName"
    if given(environ, by_origin):
        return https_origin(environ, by_origin, f"https://{_HOST}", "the blob service's origin, https, without path")
    if given(environ, by_name):
        account = matching(environ, by_name, _ACCOUNT, "a storage account's name")
        return f"https://{account}.blob.{_cloud(environ).storage_suffix}"
    return required(environ, "AzureWebJobsStorage", f"a connection string, or set {by_origin}")
