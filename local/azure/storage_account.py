"""Speaks for the blob service of the simulated storage accounts, as far as it takes to find out whether a key works.

Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api, and the common error codes. What is
refused first is what the network rules refuse, then key access as such, then the signature.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, override
from uuid import uuid4
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from local.azure.arm_storage_state import StorageAccount
from local.azure.storage_account_signature import signed_by, string_to_sign
from local.azure.wire import ServiceError

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

SUFFIX = ".blob.storage.localhost"
_OLDEST = 900.0
"""Seconds a request's date may be off: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key."""

_PROPERTIES = (
    "<StorageServiceProperties><Logging><Version>1.0</Version><Read>false</Read><Write>false</Write>"
    "<Delete>false</Delete><RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>"
    "<HourMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy><Enabled>false</Enabled>"
    "</RetentionPolicy></HourMetrics><MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled><RetentionPolicy>"
    "<Enabled>false</Enabled></RetentionPolicy></MinuteMetrics><Cors /></StorageServiceProperties>"
)
_FAILED = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature."
)


class RefusedError(ServiceError):
    """A refusal of a storage service: XML, and its code in a header as well."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        request_id = str(uuid4())
        said = f"{message}\nRequestId:{request_id}\nTime:{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
        own = {"x-ms-error-code": code, "x-ms-request-id": request_id, **(headers or {})}
        super().__init__(status, {"Code": code, "Message": said}, own)

    @override
    def response(self) -> Response:
        """Return the refusal as the service sends it."""
        return _xml(
            f"<Error><Code>{self.body['Code']}</Code><Message>{escape(self.body['Message'])}</Message></Error>",
            self.status,
            self.headers,
        )


class StorageAccountBlobs:
    """The blob endpoints of all accounts that Azure Resource Manager knows."""

    name = "storage-account"

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud

    def serves(self, host: str) -> bool:
        """Answer on `<account>.blob.storage.localhost`: any account, as names nobody has don't resolve in Azure."""
        return host.endswith(SUFFIX)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the two operations of the blob service that change nothing."""
        return [Route("/{path:path}", self._answer, methods=["GET", "PUT", "POST", "DELETE"])]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return what a busy storage service says: never a 429."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return RefusedError(503, "ServerBusy", "The server is busy.", headers)

    def broken(self, status: int) -> ServiceError:
        """Return a 408 or 5xx of a storage service."""
        if status == 503:
            return self.throttled(None)
        return RefusedError(
            status, "InternalError", "The server encountered an internal error. Please retry the request."
        )

    def seed(self, _document: dict[str, Any]) -> None:
        """Take nothing: accounts are seeded with Azure Resource Manager."""

    def state(self) -> dict[str, Any]:
        """Return nothing: keys are told with their account, and there are no blobs."""
        return {}

    async def _answer(self, request: Request) -> Response:
        host = request.headers["host"].rpartition(":")[0].lower()
        account = self._cloud.storage_accounts.accounts.get(host.removesuffix(SUFFIX))
        if account is None:
            raise RefusedError(404, "ResourceNotFound", "The specified resource does not exist.")
        self._let_in(account, request)
        asked = {name.lower(): value for name, value in request.query_params.items()}
        if request.method == "GET" and request.url.path == "/":
            if (asked.get("restype"), asked.get("comp")) == ("service", "properties"):
                return _xml(_PROPERTIES)
            if asked.get("comp") == "list":
                return _xml(
                    f'<EnumerationResults ServiceEndpoint="https://{host}/"><Containers /></EnumerationResults>'
                )
        raise RefusedError(400, "InvalidUri", "The requested URI does not represent any resource on the server.")

    def _let_in(self, account: StorageAccount, request: Request) -> None:
        if account.shuts_out():
            raise RefusedError(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme != "SharedKey":
            bearer = {"WWW-Authenticate": f"Bearer authorization_uri={self._cloud.url('login')}/{self._cloud.tenant}"}
            raise RefusedError(401, "NoAuthenticationInformation", "Server failed to authenticate the request.", bearer)
        if account.allow_shared_key_access is False:
            said = "Key based authentication is not permitted on this storage account."
            raise RefusedError(403, "KeyBasedAuthenticationNotPermitted", said)
        name, _, given = credential.partition(":")
        text = string_to_sign(
            request.method,
            account.name,
            request.scope["raw_path"].decode("ascii"),
            request.url.query,
            {key.lower(): value for key, value in request.headers.items()},
        )
        keys = account.accepted(self._cloud.clock.now(), self._cloud.switches.storage_account.seconds)
        if name != account.name or not _dated(request) or not signed_by(given, text, keys):
            raise RefusedError(403, "AuthenticationFailed", _FAILED)


def _dated(request: Request) -> bool:
    """Clients' clocks don't move with the simulated one: it is the machine's time that counts."""
    try:
        said = parsedate_to_datetime(request.headers.get("x-ms-date") or request.headers.get("date", ""))
    except ValueError:
        return False
    return abs((datetime.now(UTC) - said).total_seconds()) <= _OLDEST


def _xml(content: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = f'<?xml version="1.0" encoding="utf-8"?>{content}'
    return Response(body, status, {"x-ms-version": "2025-01-05", **(headers or {})}, media_type="application/xml")
