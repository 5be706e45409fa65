"""What an answer of Communication Services means: try again, or what somebody has to change."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError

from rekey.errors import NotYetError, PermanentError

# 401 too: the service answers stray ones about clocks (https://github.com/firezone/firezone/pull/12835).
_PASSES = frozenset({401, 408, 425, 429})

_ABOUT_THE_MAIL = frozenset({400, 413, 422})
_ABOUT_THE_SENDER = frozenset({"InvalidSenderUserName", "DomainNotLinked"})
"""What every mail would be refused for."""

MAIL_REFUSED = "mail-refused"
THIS_MAIL_REFUSED = "this-mail-refused"
"""Error codes: nothing can be sent until somebody changes something, and: this content or recipient is refused."""

_SERVICE_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,59}")

_WHAT_TO_DO = {
    400: "Check REKEY_MAIL_SENDER and that its domain is linked to the Communication Services resource.",
    403: "Grant the mail identity the role Communication and Email Service Owner on the resource.",
    404: "Check REKEY_MAIL_ENDPOINT and that the domain of REKEY_MAIL_SENDER is linked to the resource.",
}


def translated(error: AzureError, now: datetime | None = None) -> NotYetError | PermanentError:
    """Return what to raise instead of `error`: code and status, never what was sent or what the answer says.

    Raise it `from None`: the SDK's exception holds the request, and with it the mail.
    `now` (default: the clock) is what a Retry-After date is counted from.
    """
    status = _status(error)
    if status is None:
        return NotYetError("mail-unreachable", f"mail: no answer ({type(error).__name__})")
    if status == 429:
        return NotYetError("mail-throttled", "mail: sent too many (429)", _retry_after(error, now))
    if status in _PASSES or not 400 <= status < 500:
        return NotYetError("mail-not-accepted", f"mail: not accepted ({status})", _retry_after(error, now))
    advice = _WHAT_TO_DO.get(status, "Check the app's mail settings.")
    service_code = _service_code(error)
    this_one = status in _ABOUT_THE_MAIL and service_code not in _ABOUT_THE_SENDER
    shown = f"{status}, {service_code}" if service_code else str(status)
    return PermanentError(THIS_MAIL_REFUSED if this_one else MAIL_REFUSED, f"mail: refused ({shown})", advice)


def taken_already(error: AzureError) -> bool:
    """Tell whether the service has an operation of that id: the mail was taken when it was sent before."""
    return _status(error) == 409


def _status(error: AzureError) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _service_code(error: AzureError) -> str:
    """The service's own error code, such as DomainNotLinked: it is a name, its message may quote the mail."""
    code = getattr(error.error, "code", None) if isinstance(error, HttpResponseError) else None
    return code if isinstance(code, str) and _SERVICE_CODE.fullmatch(code) else ""


def _retry_after(error: AzureError, now: datetime | None) -> float | None:
    """Seconds, from Retry-After as a number or a date (RFC 9110, 10.2.3); None if there is no usable one."""
    response: Any = getattr(error, "response", None)
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())
