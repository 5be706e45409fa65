"""Stands for Azure Monitor: writes what happens in the simulated vaults into their audit logs."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure.cloud import Cloud
from local.azure.directory import Identity
from local.azure.keyvault_audit_delivery import Batches, Target
from local.azure.keyvault_audit_record import OPERATIONS, Happened
from local.azure.keyvault_state import Vault
from local.azure.seeds import parsed
from local.azure.wire import Caller, ServiceError

_WITH_VERSION = frozenset({"SecretGet", "SecretSet", "SecretUpdate"})
"""Operations whose record tells the version that was answered, named or not."""

_OF_AZURE = "20.50.2.20"
"""The address that reads of Azure's own services come from here."""

type Answering = Callable[[Request], Awaitable[Response]]


class RecordRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `POST /_sim/audit/record` takes: something that nobody does here, such as a change of a vault.

    `by` is the name of a seeded identity or application, or a user's; "" for nobody.
    """

    vault: str
    operation: str
    by: str = ""
    secret: str = ""
    version: str = ""
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 200
    description: str = ""
    address: str = "203.0.113.7"
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class AuditLogs:
    """The diagnostic setting of every vault; without an `audit` part in a seed there is none."""

    name = "audit"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._target: Target | None = None
        self._batches = Batches()

    def serves(self, host: str) -> bool:
        """Answer no host: Azure Monitor only writes."""
        del host
        return False

    def routes(self) -> Sequence[BaseRoute]:
        """Return nothing."""
        return []

    def control_routes(self) -> Sequence[BaseRoute]:
        """Return what this service adds to the control API."""
        return [
            Route("/_sim/audit", self._tell, methods=["GET"]),
            Route("/_sim/audit/record", self._by_hand, methods=["POST"]),
            Route("/_sim/audit/flush", self._flush, methods=["POST"]),
        ]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return a 429, which nobody gets to see."""
        return ServiceError(429, {}, {} if retry_after is None else {"Retry-After": str(retry_after)})

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx, which nobody gets to see."""
        return ServiceError(status, {})

    def seed(self, document: dict[str, Any]) -> None:
        """Take the `audit` part: from now on vaults have a log, in place of an earlier setting."""
        if "audit" in document:
            self._target = parsed(document["audit"], Target, "audit")

    def state(self) -> dict[str, Any]:
        """Return nothing: what is written is in the storage account."""
        return {}

    def logged(self, method: str, path: str, answer: Answering) -> Answering:
        """Wrap a handler of the vaults: each answer and refusal gets a record, if vaults have a log."""
        operation = OPERATIONS[method, path]

        @functools.wraps(answer)
        async def handle(request: Request) -> Response:
            try:
                response = await answer(request)
            except ServiceError as refused:
                self._note(operation, request, refused.response())
                raise
            self._note(operation, request, response)
            return response

        return handle

    def read_for(self, identity: Identity, vault: Vault, secret: str) -> None:
        """Note that a service of Azure read `<secret>/<version>` for somebody's identity."""
        if self._target is not None:
            uri = f"{self._cloud.keyvault.origin(vault.name)}/secrets/{secret}"
            happened = Happened(
                vault=vault,
                operation="SecretGet",
                status=200,
                at=self._cloud.clock.now(),
                claims=_claims_of(identity.object_id, identity.client_id),
                address=_OF_AZURE,
                uri=uri,
                id=uri,
            )
            self._batches.add(self._target, happened)

    async def aclose(self) -> None:
        """Give up what is under way."""
        await self._batches.aclose()

    def _note(self, operation: str, request: Request, response: Response) -> None:
        vault = self._cloud.keyvault.vaults.get((request.url.hostname or "").partition(".")[0].lower())
        if self._target is None or vault is None:
            return
        answered = _json(response)
        happened = Happened(
            vault=vault,
            operation=operation,
            status=response.status_code,
            at=self._cloud.clock.now(),
            claims=_claims(getattr(request.state, "caller", None)),
            address=request.client.host if request.client else "",
            uri=str(request.url),
            id=str(answered.get("id", "")) if operation in _WITH_VERSION and "id" in answered else _subject(request),
            version=request.query_params.get("api-version", ""),
            agent=request.headers.get("user-agent", ""),
            description=str(answered.get("error", {}).get("message", "")),
            correlation=request.headers.get("x-ms-client-request-id", ""),
        )
        self._batches.add(self._target, happened)

    async def _tell(self, _request: Request) -> Response:
        return JSONResponse({"written": self._batches.written, "waiting": self._batches.waiting})

    async def _flush(self, request: Request) -> Response:
        await self._batches.flush()
        return await self._tell(request)

    async def _by_hand(self, request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await request.body(), type=RecordRequest)
            vault, claims = self._vault(wanted.vault), self._who(wanted.by)
            if self._target is None:
                raise ValueError("audit: vaults have no log, seed `audit` first")  # noqa: TRY301 - one way to say no
        except (msgspec.DecodeError, ValueError) as problem:
            return JSONResponse({"error": str(problem)}, 400)
        path = "/".join(filter(None, ("secrets" if wanted.secret else "", wanted.secret, wanted.version)))
        uri = f"{self._cloud.keyvault.origin(vault.name)}/{path}"
        happened = Happened(
            vault=vault,
            operation=wanted.operation,
            status=wanted.status,
            at=wanted.at or self._cloud.clock.now(),
            claims=claims,
            address=wanted.address,
            uri=uri,
            id=uri.removesuffix("/"),
            description=wanted.description,
        )
        self._batches.add(self._target, happened)
        return JSONResponse({})

    def _vault(self, name: str) -> Vault:
        vaults = self._cloud.keyvault.vaults
        if name.lower() not in vaults:
            raise ValueError(f"vault: got {name!r}, expected one of {sorted(vaults)}")
        return vaults[name.lower()]

    def _who(self, name: str) -> dict[str, str]:
        directory = self._cloud.directory
        if not name:
            return {}
        if name in directory.identities:
            return _claims_of(directory.identities[name].object_id, directory.identities[name].client_id)
        if name in directory.applications:
            found = directory.applications[name]
            return _claims_of(found.service_principal or "", found.app_id)
        if name in directory.users:
            # Azure Resource Manager asks in the user's name: this is the Azure portal's application id.
            portal = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"
            return {**_claims_of(directory.users[name].object_id, portal), "upn": name}
        raise ValueError(f"by: got {name!r}, expected the name of a seeded identity, application or user")


def _claims(caller: Caller | None) -> dict[str, str]:
    return {} if caller is None else {**_claims_of(caller.object_id, caller.client_id), "idtyp": "app"}


def _claims_of(object_id: str, client_id: str) -> dict[str, str]:
    return {"oid": object_id, "appid": client_id}


def _subject(request: Request) -> str:
    """Return the secret that a request is about, without a version that it doesn't name; "" for lists."""
    names = request.path_params
    if "name" not in names:
        return ""
    collection = request.url.path.split("/")[1]
    path = "/".join(filter(None, (collection, str(names["name"]), str(names.get("version", "")))))
    return f"{request.url.scheme}://{request.url.netloc}/{path}"


def _json(response: Response) -> dict[str, Any]:
    body = bytes(response.body)
    found = msgspec.json.decode(body) if body else {}
    return found if isinstance(found, dict) else {}
