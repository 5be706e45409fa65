"""Knows what answers look like that a client can't use: refusals put in place of one, and answers torn or garbled."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.responses import Response

from local.azure.fault_request import FaultRequest, Malformed, RetryAfterForm
from local.azure.wire import Answering

_SIGN_IN_PAGE = (
    "<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head>"
    "<body><h1>Sign in to your account</h1></body></html>"
)
_JSON = "application/json; charset=utf-8"


def refusal(wanted: FaultRequest, service: Answering) -> Response:
    """Return the status that was asked for, in the service's own words."""
    status = wanted.status or 500
    error = service.throttled(wanted.retry_after) if status == 429 else service.broken(status)
    if wanted.retry_after is not None:
        error.headers["Retry-After"] = _retry_after(wanted.retry_after, wanted.retry_after_form)
    return error.response()


def _retry_after(seconds: int, form: RetryAfterForm) -> str:
    if form is RetryAfterForm.SECONDS:
        return str(seconds)
    # By the machine's clock, which is the one that the client compares it with.
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def spoiled(how: Malformed, answer: Response | None) -> Response:
    """Return a service's answer spoiled; None stands for one that never was. Its status stays, but for a page."""
    status, body = (answer.status_code, bytes(answer.body)) if answer else (200, b"")
    match how:
        case Malformed.HTML:
            return Response(_SIGN_IN_PAGE, 200, media_type="text/html")
        case Malformed.EMPTY:
            return Response(b"", status, media_type=_JSON)
        case Malformed.TEXT:
            return Response("upstream connect error or disconnect/reset before headers", status, media_type=_JSON)
        case Malformed.TRUNCATED:
            return Response(body[: len(body) // 2], status, media_type=_JSON)
        case Malformed.UTF_16:
            return Response(body.decode(errors="replace").encode("utf-16"), status, media_type=_JSON)
        case Malformed.GZIP:
            return Response(body, status, {"Content-Encoding": "gzip"}, media_type=_JSON)
