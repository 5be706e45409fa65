"""Turns what Azure SDKs raise into Rekey's errors, without quoting a service that might echo a secret."""

import contextlib
import json
import math
import time
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
)

from rekey.errors import NotYetError, PermanentError, RekeyError, UnclearError

TRANSIENT = frozenset({408, 409, 412, 500, 502, 503, 504})
MAY_HAVE_HAPPENED = frozenset({408, 500, 502, 503, 504})
LONGEST_WAIT = 86400.0
"""Seconds: no clock counts to what a service may write into a header."""


@contextlib.contextmanager
def translated(where: str, *, repeatable: bool = True, forbidden: str = "") -> Iterator[None]:
    """Re-raise an SDK's error from the block as a RekeyError about `where`.

    `repeatable=False` marks a write that must not simply be repeated: a lost answer becomes UnclearError.
    `forbidden` says how to grant what a 403 misses. The SDK's error is not chained: it may quote anything.
    """
    try:
        yield
    except AzureError as error:
        found = of_sdk(error, where, repeatable=repeatable, forbidden=forbidden)
    except (json.JSONDecodeError, UnicodeDecodeError):  # newer SDKs decode without an error of their own
        found = malformed(where, repeatable=repeatable)
    except ValueError:  # Key Vault's SDK on a challenge that names another resource: it sends nothing
        found = PermanentError(
            "not-sent", f"{where}: the SDK refused to send the request", "Check that the vault's host is a Key Vault."
        )
    else:
        return
    raise found from None


def of_sdk(error: AzureError, where: str, *, repeatable: bool, forbidden: str = "") -> RekeyError:
    """Return the RekeyError that `error` amounts to."""
    if isinstance(error, DecodeError):
        return malformed(where, repeatable=repeatable)
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        if error.status_code < 300:  # a proxy's page, or a success other than the one that the SDK knows
            return malformed(where, repeatable=repeatable)
        return of_status(
            error.status_code,
            where,
            repeatable=repeatable,
            forbidden=forbidden,
            service_code=_service_code(error),
            retry_after=retry_after(getattr(error.response, "headers", None)),
        )
    if isinstance(error, ClientAuthenticationError):
        return NotYetError("sign-in-failed", f"{where}: the app's identity could not get a token")
    if isinstance(error, ServiceRequestError) or repeatable:
        return NotYetError("unreachable", f"{where}: no answer ({type(error).__name__})")
    return UnclearError("answer-lost", f"{where}: the answer to a write was lost ({type(error).__name__})")


def malformed(where: str, *, repeatable: bool) -> RekeyError:
    """Return the RekeyError for an answer that can't be read: what was asked for may well have been done."""
    said = f"{where}: the answer can't be read"
    return NotYetError("malformed-answer", said) if repeatable else UnclearError("malformed-answer", said)


def of_status(
    status: int,
    where: str,
    *,
    repeatable: bool = True,
    forbidden: str = "",
    service_code: str = "",
    retry_after: float | None = None,
) -> RekeyError:
    """Return the RekeyError for an HTTP status; `service_code` is the service's own error code, if it has one."""
    said = f"{where}: HTTP {status}" + (f" {service_code}" if service_code else "")
    if status == 429:
        return NotYetError("throttled", said, retry_after)
    if status in MAY_HAVE_HAPPENED and not repeatable:
        return UnclearError("answer-unclear", said)
    if status in TRANSIENT:
        return NotYetError("service-unavailable" if status >= 500 else "conflict", said, retry_after)
    if status == 401:
        return PermanentError(
            "unauthorized", said, "Check that the app's identity exists and is known to this service."
        )
    if status == 403:
        return PermanentError(
            "forbidden", said, forbidden or "Grant the app's identity the permission that is missing."
        )
    if status == 404:
        return PermanentError("not-found", said, "Check the name in the secret's tags.")
    return PermanentError("refused", said, "See the service's own documentation of that code.")


def retry_after(headers: object) -> float | None:
    """Return the seconds a Retry-After header asks for, as a number or a date, at most a day; None without one."""
    value = getattr(headers, "get", lambda _: None)("Retry-After")
    seconds = _seconds(value) if isinstance(value, str) else None
    return min(max(0.0, seconds), LONGEST_WAIT) if seconds is not None and math.isfinite(seconds) else None


def _seconds(value: str) -> float | None:
    """https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3."""
    try:
        return float(value)
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - time.time()


def _service_code(error: HttpResponseError) -> str:
    inner = getattr(error.error, "innererror", None) or {}
    code = inner.get("code") if isinstance(inner, dict) else None
    return str(code or getattr(error.error, "code", None) or getattr(error, "error_code", None) or "")
