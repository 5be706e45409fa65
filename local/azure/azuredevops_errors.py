"""Knows how Azure DevOps says no: VssExceptions as JSON, a sign-in page as HTML, rate limits in headers."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import HTMLResponse, Response

from local.azure.wire import ServiceError

_CORE = "Microsoft.TeamFoundation.Core.WebApi"
_SERVER = "Microsoft.TeamFoundation.Framework.Server"
_VSS = "Microsoft.VisualStudio.Services.WebApi"
_ENDPOINTS = "Microsoft.VisualStudio.Services.ServiceEndpoints"
_LATEST, _LATEST_PREVIEW = (7, 1), (7, 2)
_API_VERSION = re.compile(r"(\d+)\.(\d+)(-preview(\.\d+)?)?")


def vss(status: int, message: str, kind: str, assembly: str, *, event: int = 3000) -> ServiceError:
    """Return an error in the shape of a serialised VssException."""
    return ServiceError(
        status,
        {
            "$id": "1",
            "innerException": None,
            "message": message,
            "typeName": f"{assembly}.{kind}, {assembly}",
            "typeKey": kind,
            "errorCode": 0,
            "eventId": event,
        },
    )


def sign_in_page() -> Response:
    """Return what a call without acceptable token gets: a page, with a status that looks like success."""
    return HTMLResponse(
        "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head>"
        "<body><form>Sign in to your account</form></body></html>",
        203,
        {"Cache-Control": "no-cache", "X-TFS-ProcessId": "0"},
    )


def unauthorized(user: str) -> ServiceError:
    """Return the 401 for a token that is genuine, but not for here."""
    message = f"TF400813: The user '{user}' is not authorized to access this resource."
    error = vss(401, message, "UnauthorizedRequestException", _SERVER)
    error.headers = {"WWW-Authenticate": "Bearer"}
    return error


def no_organization(name: str) -> Response:
    """Return the page for an organisation that doesn't exist."""
    return HTMLResponse(f"<html><body>The resource cannot be found: {name}</body></html>", 404)


def no_project(name: str) -> ServiceError:
    """Return the 404 for a project that doesn't exist, or that the caller may not know of."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name.lower()):
        uri = f"vstfs:///Classification/TeamProject/{name}"
        message = f"VS800075: The project with id '{uri}' does not exist, or you do not have permission to access it."
        return vss(404, message, "ProjectDoesNotExistException", _CORE)
    message = (
        f"TF200016: The following project does not exist: {name}. Verify that the name of the project is correct "
        "and that the project exists on the specified Azure DevOps Server."
    )
    return vss(404, message, "ProjectDoesNotExistWithNameException", _CORE)


def no_endpoint(endpoint_id: str) -> ServiceError:
    """Return the 404 for a connection that can't be used or changed because it isn't there."""
    message = f"Service endpoint with id {endpoint_id} does not exist."
    return vss(404, message, "EndpointNotFoundException", "Microsoft.TeamFoundation.DistributedTask.WebApi")


def no_pipeline(number: int) -> ServiceError:
    """Return the 404 for a pipeline that isn't there, or that the caller may not view."""
    return vss(404, f"Pipeline {number} not found.", "PipelineNotFoundException", "Microsoft.Azure.Pipelines.WebApi")


def forbidden(needed: str) -> ServiceError:
    """Return the 403 for a right on a connection that the caller lacks; U: the real sentence wasn't found."""
    message = f"You do not have permissions to perform this operation on the service connection: {needed} is required."
    return vss(403, message, "AccessCheckException", "Microsoft.VisualStudio.Services.Security")


def missing(field: str) -> ServiceError:
    """Return the 400 for a body without a required part, in .NET's words."""
    message = f"Value cannot be null.\r\nParameter name: {field}"
    error = vss(400, message, "ArgumentNullException", "System", event=0)
    error.body["typeName"] = "System.ArgumentNullException, mscorlib"
    return error


def invalid(message: str) -> ServiceError:
    """Return the 400 for a body that doesn't hold together."""
    return vss(400, message, "ServiceEndpointException", f"{_ENDPOINTS}.WebApi")


def argument(message: str) -> ServiceError:
    """Return the 400 for a request that can't be done as things are, in .NET's words."""
    error = vss(400, message, "ArgumentException", "System", event=0)
    error.body["typeName"] = "System.ArgumentException, mscorlib"
    return error


def name_taken(name: str) -> ServiceError:
    """Return the 409 for a connection of a name that the project has already."""
    message = (
        f"Service connection with name {name} already exists. Only a user having Administrator/User role permissions "
        f"on service connection {name} can see it."
    )
    return vss(409, message, "DuplicateServiceConnectionException", f"{_ENDPOINTS}.WebApi")


def blocked(retry_after: int | None) -> ServiceError:
    """Return the 429."""
    message = (
        "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource "
        "'Concurrency' in namespace 'User'. For more information on why your request was blocked, see the topic "
        '"Rate limits" on the Microsoft Web site (https://go.microsoft.com/fwlink/?LinkId=823950).'
    )
    error = vss(429, message, "RequestBlockedException", _SERVER)
    error.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return error


def broken(status: int) -> ServiceError:
    """Return a 5xx."""
    return vss(status, "TF246017: The server could not complete the request.", "VssServiceException", _VSS)


def rate_limit_headers(delay: float, now: datetime, limit: int = 200) -> dict[str, str]:
    """Return the headers of an answer that was or will be delayed by `delay` seconds, beyond a limit."""
    return {
        "Retry-After": str(max(1, round(delay))),
        "X-RateLimit-Resource": "TSTUs",
        "X-RateLimit-Delay": f"{delay:.3f}",
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(now.timestamp()) + 300),
    }


def checked_api_version(method: str, query: Mapping[str, str], accept: str) -> bool:
    """Return whether 7.2's preview was asked for; ServiceError for a version that isn't served.

    The version is in the query or in the Accept header. Only GET may leave it out.
    """
    found = re.search(r"api-version=([^;,\s]+)", accept)
    given = query.get("api-version") or (found[1] if found else None)
    if given is None:
        if method == "GET":
            return False
        raise _version_error(
            "VssVersionNotSpecifiedException",
            f'No api-version was supplied for the "{method}" request. The version must be supplied either as part of '
            'the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter '
            '(e.g. "?api-version=1.0").',
        )
    match = _API_VERSION.fullmatch(given)
    if match is None or (number := (int(match[1]), int(match[2]))) > _LATEST_PREVIEW:
        raise _version_error(
            "VssVersionOutOfRangeException",
            f"The requested REST API version of {given} is out of range for this server. "
            "The latest REST API version this server supports is 7.2.",
        )
    if number > _LATEST and not match[3]:
        raise _under_preview(given)
    return number > _LATEST


def require_preview(query: Mapping[str, str]) -> None:
    """Raise the 400 for a version without -preview, of a resource that has no other."""
    given = query.get("api-version", "")
    if given and "-preview" not in given:
        raise _under_preview(given)


def _under_preview(given: str) -> ServiceError:
    return _version_error(
        "VssInvalidPreviewVersionException",
        f'The requested version "{given}" of the resource is under preview. The -preview flag must be supplied '
        f'in the api-version for such requests. For example: "{given}-preview"',
    )


def _version_error(kind: str, message: str) -> ServiceError:
    return vss(400, message, kind, _VSS)


def listed(items: list[Any]) -> dict[str, Any]:
    """Return a list as Azure DevOps wraps it."""
    return {"count": len(items), "value": items}
