"""Speaks Communication Services Email on `<resource>.communication.localhost`, any api-version of its contract."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from local.azure.cloud import Cloud
from local.azure.email_message import MAXIMUM_BYTES, Mail, Message, Resource, ResourceSeed
from local.azure.seeds import mapping, parsed
from local.azure.throttle import Windows
from local.azure.wire import Caller, ServiceError

_DOMAIN = ".communication.localhost"
_AUDIENCE = "https://communication.azure.com"
_SENDING_TAKES = timedelta(seconds=1)
_RETRY_AFTER = "30"
# Requests per minute and per hour; https://learn.microsoft.com/azure/communication-services/concepts/service-limits
_LIMITS = {
    ("send", False): ((30, 60), (100, 3600)),
    ("send", True): ((5, 60), (10, 3600)),
    ("status", False): ((60, 60), (200, 3600)),
    ("status", True): ((10, 60), (20, 3600)),
}


class Email:
    """Every Communication Services resource of the simulated Azure, and the mails they took."""

    name = "email"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._resources: dict[str, Resource] = {}
        self._mails: dict[tuple[str, str], Mail] = {}
        self._windows = Windows()

    def serves(self, host: str) -> bool:
        """Answer on every `<resource>.communication.localhost`."""
        return host.endswith(_DOMAIN)

    def routes(self) -> Sequence[BaseRoute]:
        """Return the two operations."""
        return [
            Route("/emails:send", self._send, methods=["POST"]),
            Route("/emails/operations/{id}", self._status, methods=["GET"]),
        ]

    def throttled(self, retry_after: int | None) -> ServiceError:
        """Return the 429 of Communication Services."""
        error = _error(429, "TooManyRequests", "The request rate limit was exceeded. Please try again later.")
        error.headers |= {"Retry-After": str(retry_after)} if retry_after is not None else {}
        return error

    def broken(self, status: int) -> ServiceError:
        """Return a 5xx of Communication Services."""
        return _error(status, "InternalServerError", "The server encountered an internal error. Please retry.")

    def seed(self, document: dict[str, Any]) -> None:
        """Take `mail`: resource name -> linked domains, sender addresses, callers (names of identities)."""
        for name, part in mapping(document.get("mail"), "mail").items():
            wanted = parsed(part, ResourceSeed, f"mail.{name}")
            resource = self._resources.setdefault(name.lower(), Resource(name))
            resource.callers |= {self._cloud.directory.identity(caller).object_id for caller in wanted.callers}
            resource.senders |= {sender.lower() for sender in wanted.senders}
            resource.domains |= {domain.lower(): kind for domain, kind in wanted.domains.items()}

    def seeded(self) -> dict[str, Any]:
        """Return the url of each resource."""
        return {"mail": {name: {"url": self._cloud.url(f"{name}.communication")} for name in self._resources}}

    def state(self) -> dict[str, Any]:
        """Return every mail that was accepted, in order."""
        return {"resources": sorted(self._resources), "outbox": [mail.told() for mail in self._mails.values()]}

    async def _send(self, request: Request) -> Response:
        resource, caller = self._admitted(request)
        operation = _operation_id(request)
        message = _message(await request.body())
        self._check_sender(resource, message.sender_address)
        repeated = self._mails.get((resource.name, operation))
        if repeated is not None:
            repeated.duplicates += 1
            return self._accepted(request, repeated)
        self._take(resource, "send")
        mail = Mail(resource.name, operation, message, self._cloud.clock.now(), caller.client_id)
        self._mails[resource.name, operation] = mail
        return self._accepted(request, mail)

    async def _status(self, request: Request) -> Response:
        resource, _ = self._admitted(request)
        mail = self._mails.get((resource.name, request.path_params["id"].lower()))
        if mail is None:
            raise _error(404, "NotFound", "The operation was not found.")
        self._take(resource, "status")
        status = mail.status(self._cloud.clock.now(), _SENDING_TAKES)
        headers = {"retry-after": _RETRY_AFTER} if status == "Running" else {}
        return JSONResponse({"id": mail.operation_id, "status": status, "error": None}, headers=headers)

    def _accepted(self, request: Request, mail: Mail) -> Response:
        origin = self._cloud.url(f"{mail.resource}.communication")
        version = request.query_params["api-version"]
        headers = {
            "Operation-Location": f"{origin}/emails/operations/{mail.operation_id}?api-version={version}",
            "retry-after": _RETRY_AFTER,
        }
        return JSONResponse({"id": mail.operation_id, "status": "Running", "error": None}, 202, headers)

    def _admitted(self, request: Request) -> tuple[Resource, Caller]:
        """Return which resource is asked by whom; refuses strangers and requests without api-version."""
        if not request.query_params.get("api-version"):
            raise _error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        try:
            caller = self._cloud.authenticate(request, {_AUDIENCE})
        except ValueError as error:
            raise _error(401, "Denied", f"Denied by the resource provider: {error}.") from None
        resource = self._resources.get((request.url.hostname or "").removesuffix(_DOMAIN))
        if resource is None:
            raise _error(404, "ResourceNotFound", "The Communication Services resource was not found.")
        if caller.object_id not in resource.callers:
            raise _error(403, "Forbidden", "The caller is not authorized to perform this action on the resource.")
        return resource, caller

    def _check_sender(self, resource: Resource, sender: str) -> None:
        domain = sender.lower().rpartition("@")[2]
        if resource.domains and domain not in resource.domains:
            raise _error(404, "DomainNotLinked", "The specified sender domain has not been linked.")
        if sender.lower() not in resource.senders:
            name = sender.rpartition("@")[0]
            message = (
                f"Invalid email sender username: '{name}'. Please use a username from the list of valid usernames."
            )
            raise _error(400, "InvalidSenderUserName", message)

    def _take(self, resource: Resource, operation: str) -> None:
        for limit, seconds in _LIMITS[operation, resource.managed()]:
            most, window = self._cloud.switches.limit(self.name, limit, seconds)
            wait = self._windows.take(f"{operation} {resource.name}", most, window, self._cloud.clock.now())
            if wait is not None:
                raise self.throttled(wait)


def _error(status: int, code: str, message: str) -> ServiceError:
    body = {"code": code, "message": message, "target": None, "details": None, "innererror": None}
    return ServiceError(status, {"error": body}, {"x-ms-error-code": code})


def _operation_id(request: Request) -> str:
    given = request.headers.get("operation-id")
    try:
        return str(uuid.UUID(given)) if given else str(uuid.uuid4())
    except ValueError:
        raise _error(400, "BadRequest", f"The Operation-Id header must be a UUID, got '{given}'.") from None


def _message(body: bytes) -> Message:
    if len(body) > MAXIMUM_BYTES:
        raise _error(413, "RequestEntityTooLarge", "The request exceeds 10 MB.")
    try:
        message = msgspec.json.decode(body, type=Message)
    except msgspec.MsgspecError as error:
        raise _error(400, "BadRequest", f"Request body validation error. {error}") from None
    if problem := message.problem():
        raise _error(400, "BadRequest", f"Request body validation error. See property '{problem}'")
    return message
