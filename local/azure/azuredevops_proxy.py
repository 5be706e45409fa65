"""Knows what Azure DevOps does when it tests a connection: it signs in at Entra, then reads the subscription."""

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.types import Message

from local.azure import azuredevops_federation as federation
from local.azure.azuredevops_errors import invalid
from local.azure.azuredevops_state import Endpoint
from local.azure.cloud import Cloud
from local.azure.entra_federation import BEARER
from local.azure.wire import ServiceError, service_app

if TYPE_CHECKING:
    from local.azure.arm import ResourceManager

TEST = "TestConnection"
_SUBSCRIPTIONS = "api-version=2016-06-01"
"""The query with which a subscription is read."""


class DataSource(msgspec.Struct, frozen=True, rename="camel"):
    """Which request to run with the connection's credential."""

    data_source_name: str | None = None


class Authorization(msgspec.Struct, frozen=True):
    """What to sign in with in place of what is stored."""

    parameters: dict[str, Any] = {}


class Details(msgspec.Struct, frozen=True):
    """A connection as the caller has it, edited but not saved."""

    authorization: Authorization = Authorization()


class ProxyRequest(msgspec.Struct, frozen=True, rename="camel"):
    """The body of endpointproxy."""

    data_source_details: DataSource
    service_endpoint_details: Details | None = None


def parsed_request(raw: bytes) -> ProxyRequest:
    """Parse the body; only the data source TestConnection is simulated, anything else is a 400."""
    try:
        wanted = msgspec.json.decode(raw, type=ProxyRequest)
    except msgspec.DecodeError as problem:
        raise invalid(f"The request body is not a service endpoint request: {problem}") from None
    if wanted.data_source_details.data_source_name != TEST:
        raise invalid(f"Unable to find the data source {wanted.data_source_details.data_source_name!r}.")
    return wanted


async def tested(cloud: Cloud, endpoint: Endpoint, wanted: ProxyRequest) -> dict[str, Any]:
    """Sign in and return a ServiceEndpointRequestResult; a failed sign-in is a result too, with Entra's message."""
    details = wanted.service_endpoint_details
    parameters = endpoint.sign_in_parameters(details.authorization.parameters if details else None)
    if endpoint.document["authorization"]["scheme"] not in ("ServicePrincipal", federation.SCHEME):
        return _result(
            [], "badRequest", f"{TEST} is simulated for the schemes ServicePrincipal and {federation.SCHEME}."
        )
    if parameters.get("authenticationtype") == "spnCertificate":
        return _result([], "badRequest", f"{TEST} isn't simulated with a certificate.")
    status, answer = await token(cloud, parameters)
    if status == 200:
        return _read_subscription(cloud, endpoint.document["data"].get("subscriptionId", ""), answer["access_token"])
    # https://learn.microsoft.com/azure/devops/pipelines/release/azure-rm-endpoint quotes the sentence.
    message = (
        "Failed to obtain the Json Web Token(JWT) using service principal client ID. "
        f"Exception message: {answer.get('error_description', answer)}"
    )
    return _result([], "badRequest", message)


def _read_subscription(cloud: Cloud, subscription: str, bearer: str) -> dict[str, Any]:
    """Read the subscription as the connection does: Azure Resource Manager may refuse whom Entra let in.

    Seeds that give an application no role at all leave roles out of the picture: it may read. A managed identity needs
    one. https://github.com/MicrosoftDocs/azure-devops-docs/issues/12582 quotes the sentence.
    """
    access = cast("ResourceManager", cloud.services["arm"]).access
    headers = [(b"authorization", f"Bearer {bearer}".encode())]
    request = Request({"type": "http", "headers": headers, "query_string": _SUBSCRIPTIONS.encode()})
    who, path = access.caller(request).object_id, f"/subscriptions/{subscription}"
    holders = {identity.object_id for identity in cloud.directory.identities.values()}
    try:
        if who in holders | {one.object_id for one in access.assignments}:
            access.require(request, "Microsoft.Resources/subscriptions/read", path)
    except ServiceError as refusal:
        message = (
            f"Failed to query service connection API: 'https://management.azure.com{path}?{_SUBSCRIPTIONS}'. "
            f"Status Code: 'Forbidden', Response from server: '{json.dumps(refusal.body, separators=(',', ':'))}'"
        )
        return _result([], "forbidden", message)
    return _result([json.dumps({"id": path, "state": "Enabled"})], "ok", "")


def _result(result: list[str], status: str, message: str) -> dict[str, Any]:
    return {"result": result, "statusCode": status, "errorMessage": message}


def _credential(cloud: Cloud, parameters: dict[str, str]) -> dict[str, str]:
    """Return what a connection proves itself with: its secret, or what Azure DevOps asserts about it."""
    issuer, subject = parameters.get(federation.ISSUER.lower()), parameters.get(federation.SUBJECT.lower())
    if issuer is None or subject is None:
        return {"client_secret": parameters.get("serviceprincipalkey", "")}
    asserted = federation.assertion(cloud, issuer, subject)
    return {"client_assertion_type": BEARER, "client_assertion": asserted}


async def token(cloud: Cloud, parameters: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Post to the token endpoint inside this process: not a request of whoever is being watched."""
    form = {
        "grant_type": "client_credentials",
        "client_id": parameters.get("serviceprincipalid", ""),
        "scope": "https://management.azure.com/.default",
        **_credential(cloud, parameters),
    }
    body, sent = urlencode(form).encode(), list[Message]()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    tenant = parameters.get("tenantid", "")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": f"/{tenant}/oauth2/v2.0/token",
        "query_string": b"",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        "server": ("login.localhost", cloud.port),
    }
    await service_app(cloud.services["entra"])(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]) or b"{}")
