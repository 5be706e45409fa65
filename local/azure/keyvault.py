"""Speaks the Key Vault secrets API on `<vault>.vault.localhost`; any api-version is accepted."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure.cloud import Cloud
from local.azure.keyvault_access import Throttle, check_role, throttled
from local.azure.keyvault_bodies import (
    Attributes,
    Bodies,
    SetRequest,
    UpdateRequest,
    bad_parameter,
    body_of,
    error,
    page_size,
    refusal,
)
from local.azure.keyvault_report import vault_state
from local.azure.keyvault_seed import Stored, VaultSeeds
from local.azure.keyvault_state import Read, RefusedError, Secret, Vault, Version, valid_name
from local.azure.wire import Caller, ServiceError

_DOMAIN = ".vault.localhost"
_PUBLIC_AUDIENCE = "https://vault.azure.net"


@dataclass(frozen=True)
class Call:
    """One authorised request to one vault."""

    request: Request
    vault: Vault
    bodies: Bodies
    caller: Caller

    @property
    def name(self) -> str:
        """The secret's name in the path."""
        return str(self.request.path_params.get("name", ""))

    @property
    def version(self) -> str:
        """The version in the path, empty for the latest."""
        return str(self.request.path_params.get("version", ""))

    def page(self, items: list[dict[str, Any]]) -> Response:
        """Answer the page of `items` that was asked for."""
        query = self.request.query_params
        start = query.get("$skiptoken", "0")
        if not start.isdigit():
            raise bad_parameter(f"invalid skiptoken: {start}")
        return JSONResponse(
            self.bodies.page(items, self.request.url.path, int(start), page_size(query.get("maxresults")))
        )


type Handler = Callable[[Call], Awaitable[Response]]


class KeyVault:
    """Every vault of the simulated Azure."""

    name = "keyvault"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.vaults: dict[str, Vault] = {}
        self._throttle = Throttle(functools.partial(cloud.switches.limit, self.name))
        self._seeds = VaultSeeds(cloud.directory, cloud.clock, cloud.new_secret)
        self._seeded: list[Stored] = []

    def serves(self, host: str) -> bool:
        """Answer on every `<vault>.vault.localhost`."""
        return host.endswith(_DOMAIN)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations; each needs the data action that its row names."""
        table: list[tuple[str, str, str, Handler]] = [
            ("GET", "/secrets", "list", self._list),
            ("GET", "/secrets/{name}/versions", "list", self._list_versions),
            ("PUT", "/secrets/{name}", "set", self._set),
            ("DELETE", "/secrets/{name}", "delete", self._delete),
            ("GET", "/secrets/{name}", "get", self._get),
            ("PATCH", "/secrets/{name}", "update", self._update),
            ("GET", "/secrets/{name}/", "get", self._get),
            ("PATCH", "/secrets/{name}/", "update", self._update),
            ("GET", "/secrets/{name}/{version}", "get", self._get),
            ("PATCH", "/secrets/{name}/{version}", "update", self._update),
            ("GET", "/deletedsecrets", "list", self._list_deleted),
            ("GET", "/deletedsecrets/{name}", "get", self._get_deleted),
            ("DELETE", "/deletedsecrets/{name}", "purge", self._purge),
            ("POST", "/deletedsecrets/{name}/recover", "recover", self._recover),
        ]
        logged = self._cloud.audit.logged
        return [
            Route(path, logged(method, path, self._checked(operation, run)), methods=[method])
            for method, path, operation, run in table
        ]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return Key Vault's 429."""
        return throttled("VaultOperationLimitReached", retry_after)

    def broken(self, status: int) -> ServiceError:
        """Return Key Vault's 5xx."""
        code = "ServiceUnavailable" if status == 503 else "InternalServerError"
        return error(status, code, "The service is temporarily unable to process the request. Please retry.")

    def seed(self, document: dict[str, Any]) -> None:
        """Take the `vaults` part in; every version it stores is announced to Event Grid."""
        try:
            self._seeded = self._seeds.plant(document.get("vaults"), self.vaults)
        except RefusedError as refused:
            raise ValueError(f"vaults: {refused.name} can't get a version: {refused.reason}") from None
        for stored in self._seeded:
            self._announce(stored.vault, stored.secret, stored.version)

    def seeded(self) -> dict[str, Any]:
        """Return the versions that the last seeding stored."""
        told: dict[str, dict[str, list[str]]] = {}
        for stored in self._seeded:
            told.setdefault(stored.vault.name, {}).setdefault(stored.secret.name, []).append(stored.version.id)
        return {"vaults": told}

    def state(self) -> dict[str, Any]:
        """Return vaults, secrets, versions with values and who read them, deleted and purged names."""
        return {"vaults": {name: vault_state(vault) for name, vault in self.vaults.items()}}

    def origin(self, vault: str) -> str:
        """Return a vault's URL, without a slash at its end."""
        return self._cloud.url(f"{vault}.vault")

    def _checked(self, operation: str, run: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: known vault, token, limits, role, api-version, and the state's refusals put in words."""

        async def handle(request: Request) -> Response:
            vault = self._vault(request)
            caller = request.state.caller = self._authenticated(request)
            self._throttle.count(vault.name, creation=operation == "set")
            check_role(vault, caller, operation, request.url.path)
            api_version = request.query_params.get("api-version")
            if not api_version:
                raise bad_parameter("api-version must be specified")
            bodies = Bodies(vault, self.origin(vault.name), api_version)
            try:
                return await run(Call(request, vault, bodies, caller))
            except RefusedError as refused:
                raise refusal(refused) from None

        return handle

    def _vault(self, request: Request) -> Vault:
        name = (request.url.hostname or "").removesuffix(_DOMAIN).lower()
        vault = self.vaults.get(name)
        if vault is None:
            # In Azure the name of a vault that doesn't exist doesn't resolve; there is no answer to imitate.
            raise error(404, "VaultNotFound", f"No vault is called {name!r} here; in Azure its name won't resolve.")
        return vault

    def _authenticated(self, request: Request) -> Caller:
        try:
            return self._cloud.authenticate(request, {self._cloud.url("vault"), _PUBLIC_AUDIENCE})
        except ValueError as problem:
            missing = "authorization" not in request.headers
            code = "AKV10000: Request is missing a Bearer or PoP token." if missing else f"AKV10022: {problem}"
            raise error(401, "Unauthorized", code, headers=self._challenge(missing=missing)) from None

    def _challenge(self, *, missing: bool) -> dict[str, str]:
        authority, resource = f"{self._cloud.url('login')}/{self._cloud.tenant}", self._cloud.url("vault")
        refused = "" if missing else ', error="invalid_token"'
        return {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="{resource}"{refused}'}

    def _announce(self, vault: Vault, secret: Secret, version: Version) -> None:
        if "eventgrid" in self._cloud.services:
            self._cloud.eventgrid.version_stored(vault, secret, version)

    async def _list(self, call: Call) -> Response:
        return call.page([call.bodies.secret_item(secret) for secret in call.vault.active()])

    async def _list_versions(self, call: Call) -> Response:
        secret = call.vault.secret(call.name)
        ordered = sorted(secret.versions, key=lambda version: version.id)
        return call.page([call.bodies.version_item(secret, version) for version in ordered])

    async def _get(self, call: Call) -> Response:
        version = call.vault.readable(call.name, call.version)
        version.reads.append(Read(call.caller.client_id, self._cloud.clock.now()))
        return JSONResponse(call.bodies.bundle(call.vault.secret(call.name), version))

    async def _set(self, call: Call) -> Response:
        if not valid_name(call.name):
            raise bad_parameter(f"The request URI contains an invalid name: {call.name}")
        wanted = body_of(await call.request.body(), SetRequest)
        now, attributes = self._now(), wanted.attributes or Attributes()
        version = Version(
            value=wanted.value,
            created=now,
            updated=now,
            enabled=attributes.enabled is not False,
            exp=attributes.exp,
            nbf=attributes.nbf,
            tags=wanted.tags,
            content_type=wanted.content_type,
        )
        secret = call.vault.store(call.name, version)
        self._announce(call.vault, secret, version)
        return JSONResponse(call.bodies.bundle(secret, version))

    async def _update(self, call: Call) -> Response:
        wanted = body_of(await call.request.body(), UpdateRequest)
        secret, version = call.vault.secret(call.name), call.vault.version(call.name, call.version)
        attributes = wanted.attributes or Attributes()
        if attributes.enabled is not None:
            version.enabled = attributes.enabled
        version.exp = version.exp if attributes.exp is None else attributes.exp
        version.nbf = version.nbf if attributes.nbf is None else attributes.nbf
        version.tags = version.tags if wanted.tags is None else wanted.tags
        version.content_type = version.content_type if wanted.content_type is None else wanted.content_type
        version.updated = self._now()
        return JSONResponse(call.bodies.properties(secret, version))

    async def _delete(self, call: Call) -> Response:
        secret = call.vault.delete(call.name, self._cloud.clock.now())
        return JSONResponse(call.bodies.deleted_bundle(secret))

    async def _list_deleted(self, call: Call) -> Response:
        return call.page([call.bodies.deleted_item(secret) for secret in call.vault.deleted()])

    async def _get_deleted(self, call: Call) -> Response:
        return JSONResponse(call.bodies.deleted_bundle(call.vault.secret(call.name, "read-deleted")))

    async def _purge(self, call: Call) -> Response:
        call.vault.purge(call.name)
        return Response(status_code=204)

    async def _recover(self, call: Call) -> Response:
        secret = call.vault.recover(call.name)
        return JSONResponse(call.bodies.properties(secret, secret.latest))

    def _now(self) -> int:
        return int(self._cloud.clock.now().timestamp())
