"""Speaks the wire protocol of Microsoft Entra: the token endpoint for client credentials, and its metadata.

Who signs in says so by a secret, or by an assertion that a federated credential trusts.
"""

import base64
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure import entra_errors, entra_federation
from local.azure.cloud import Cloud
from local.azure.directory import Application, Identity
from local.azure.directory_seed import DirectorySeeder, told
from local.azure.seeds import parsed
from local.azure.tokens import Subject
from local.azure.wire import ServiceError

APP_TOKEN_SECONDS = 3599
_WELL_KNOWN_RESOURCES = frozenset(
    {
        "https://graph.microsoft.com",
        "00000003-0000-0000-c000-000000000000",
        "https://vault.azure.net",
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://communication.azure.com",
        "https://storage.azure.com",
        "499b84ac-1321-427f-aa17-267ca6975798",
        "https://app.vssps.visualstudio.com",
        "api://AzureADTokenExchange",
    }
)


class Entra:
    """Microsoft Entra: lets applications sign in with their passwords."""

    name = "entra"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._seeder = DirectorySeeder(cloud.directory, cloud.clock)

    def serves(self, host: str) -> bool:
        """Answer on `login.localhost`."""
        return host == "login.localhost"

    def routes(self) -> Sequence[BaseRoute]:
        """Return token endpoint and metadata."""
        return [
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            Route("/{tenant}/discovery/v2.0/keys", self._keys),
            Route("/common/discovery/instance", self._instance),
        ]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return the 429 of the token endpoint."""
        error = entra_errors.refusal(self._cloud, 90055, None)
        error.headers = {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return error

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx of the token endpoint."""
        error = entra_errors.refusal(self._cloud, 90033, None)
        error.status = status
        return error

    def seed(self, document: dict[str, Any]) -> None:
        """Take `tenant`, `identities` and `applications`."""
        if "tenant" in document:
            self._cloud.tenant = str(parsed(document["tenant"], uuid.UUID, "tenant"))
        self._seeder.take(document)

    def seeded(self) -> dict[str, Any]:
        """Return the ids of everything in the directory."""
        return told(self._cloud.directory, values=False)

    def state(self) -> dict[str, Any]:
        """Return the directory with the passwords' values."""
        return {"tenant": self._cloud.tenant, **told(self._cloud.directory, values=True)}

    async def _token(self, request: Request) -> Response:
        form = _form(request, (await request.body()).decode())
        correlation = request.headers.get("client-request-id")
        if request.path_params["tenant"].lower() != self._cloud.tenant:
            raise self._refuse(90002, correlation, request.path_params["tenant"])
        for field in ("grant_type", "client_id", "scope"):
            if not form.get(field):
                raise self._refuse(900144, correlation, field)
        if form["grant_type"] != "client_credentials":
            raise self._refuse(70003, correlation, form["grant_type"])
        signs_in = self._signed_in_by_assertion if _has_assertion(form) else self._signed_in_by_secret
        subject = signs_in(form, correlation)
        return JSONResponse(self._answer(subject), headers={"Cache-Control": "no-store, no-cache"})

    def _signed_in_by_secret(self, form: dict[str, str], correlation: str | None) -> Subject:
        application = self._application(form["client_id"], correlation)
        audience = self._audience(form["scope"], correlation)
        self._check_secret(application, form.get("client_secret", ""), correlation)
        return self._subject(application, audience)

    def _signed_in_by_assertion(self, form: dict[str, str], correlation: str | None) -> Subject:
        """Return an application or a managed identity: only the latter has no other way to sign in from elsewhere."""
        identity = self._cloud.directory.identity_by_client_id(form["client_id"])
        holder = identity or self._application(form["client_id"], correlation)
        audience = self._audience(form["scope"], correlation)
        entra_federation.check(self._cloud, holder, form["client_assertion"], correlation)
        return self._subject(holder, audience)

    def _application(self, client_id: str, correlation: str | None) -> Application:
        application = self._cloud.directory.by_app_id(client_id)
        if application is None:
            raise self._refuse(700016, correlation, client_id, self._cloud.tenant)
        if application.service_principal is None:
            raise self._refuse(7000229, correlation, client_id, self._cloud.tenant)
        return application

    def _audience(self, scope: str, correlation: str | None) -> str:
        resource = scope.removesuffix("/.default")
        if resource == scope:
            raise self._refuse(1002012, correlation, scope)
        if not known_resource(self._cloud, resource):
            raise self._refuse(500011, correlation, resource, self._cloud.tenant)
        return resource

    def _check_secret(self, application: Application, secret: str, correlation: str | None) -> None:
        if not secret:
            raise self._refuse(7000216, correlation)
        password = next((p for p in application.live() if p.value == secret), None)
        now = self._cloud.clock.now()
        if password is None or now < password.start or not self._cloud.switches.entra_knows(now - password.created):
            raise self._refuse(7000215, correlation, application.app_id)
        if now >= password.end:
            raise self._refuse(7000222, correlation, application.app_id)

    def _subject(self, holder: Application | Identity, audience: str) -> Subject:
        if isinstance(holder, Application):
            client_id, object_id = holder.app_id, holder.service_principal or ""
        else:
            client_id, object_id = holder.client_id, holder.object_id
        return Subject(self._cloud.tenant, client_id, object_id, audience, holder.app_roles)

    def _answer(self, subject: Subject) -> dict[str, Any]:
        return {
            "token_type": "Bearer",
            "expires_in": APP_TOKEN_SECONDS,
            "ext_expires_in": APP_TOKEN_SECONDS,
            "access_token": self._cloud.tokens.issue(subject, APP_TOKEN_SECONDS),
        }

    def _refuse(self, code: int, correlation: str | None, *values: str) -> ServiceError:
        return entra_errors.refusal(self._cloud, code, correlation, *values)

    async def _configuration(self, request: Request) -> Response:
        base = f"{self._cloud.url('login')}/{request.path_params['tenant']}"
        return JSONResponse(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "issuer": f"{self._cloud.url('login')}/{self._cloud.tenant}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "response_types_supported": ["code", "id_token"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "subject_types_supported": ["pairwise"],
            }
        )

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse(self._cloud.tokens.public_keys())

    async def _instance(self, _request: Request) -> Response:
        host = f"login.localhost:{self._cloud.port}"
        return JSONResponse(
            {
                "tenant_discovery_endpoint": f"https://{host}/{self._cloud.tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            }
        )


def known_resource(cloud: Cloud, resource: str) -> bool:
    """Tell whether tokens are issued for this resource: Azure's own, this cloud's hosts, its applications."""
    name = resource.rstrip("/")
    if name in _WELL_KNOWN_RESOURCES or name.removeprefix("api://") in {
        application.app_id for application in cloud.directory.applications.values()
    }:
        return True
    return name in {cloud.url(host) for host in ("graph", "vault", "management", "azuredevops", "communication")}


def _has_assertion(form: dict[str, str]) -> bool:
    return form.get("client_assertion_type") == entra_federation.BEARER and bool(form.get("client_assertion"))


def _form(request: Request, body: str) -> dict[str, str]:
    form = dict(parse_qsl(body))
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
        form = {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret), **form}
    return form
