"""Turns what kiota raises for Microsoft Graph into Rekey's errors, without quoting more than Graph's own codes."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from rekey.azure_errors import malformed, of_status, retry_after
from rekey.errors import NotYetError, PermanentError, RekeyError, UnclearError

CONFLICT_PAUSE = 5.0
"""Seconds after Directory_ConcurrencyViolation: "wait briefly and retry", says the service."""

GRANT = (
    "Grant the app's identity Application.ReadWrite.OwnedBy and make it an owner: "
    "az ad app owner add --id <client id> --owner-object-id <the identity's object id>"
)


@contextlib.contextmanager
def graph_translated(where: str, *, repeatable: bool = True) -> Iterator[None]:
    """Turn what kiota raises into Rekey's errors about `where`; a write that isn't `repeatable` may have happened."""
    import httpx
    from kiota_abstractions.api_error import APIError

    found: RekeyError
    try:
        yield
    except APIError as error:
        found = _of_graph(error, where, repeatable=repeatable)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        found = NotYetError("unreachable", f"Microsoft Graph, {where}: no connection")
    except httpx.HTTPError as error:
        lost = f"Microsoft Graph, {where}: the answer was lost ({type(error).__name__})"
        found = NotYetError("unreachable", lost) if repeatable else UnclearError("answer-lost", lost)
    except (json.JSONDecodeError, UnicodeDecodeError):
        found = malformed(f"Microsoft Graph, {where}", repeatable=repeatable)
    else:
        return
    raise found from None


def _of_graph(error: Any, where: str, *, repeatable: bool) -> RekeyError:
    import httpx

    status = error.response_status_code or 0
    main = getattr(error, "error", None)
    code, message = getattr(main, "code", None) or "", getattr(main, "message", None) or ""
    said = f"Microsoft Graph, {where}: HTTP {status} {code}"
    if code == "Directory_ConcurrencyViolation" or (status == 409 and not code):
        return NotYetError("concurrent-change", said, CONFLICT_PAUSE)
    if "already exist" in message:  # lists lag writes: it will be seen to be there
        return NotYetError("conflict", said, CONFLICT_PAUSE)
    if "No password credential found" in message:
        return PermanentError("no-such-password", said)
    if status == 403:
        return PermanentError("forbidden", said, GRANT)
    if status == 404:
        return PermanentError("no-application", said, "Check azureADAppId or rekey-credential in the secret's tags.")
    if code == "CredentialInvalidLifetimeAsPerAppPolicy":
        return PermanentError("lifetime-forbidden", said, "Shorten rekey-lifetime: the tenant's policy caps it.")
    if code.startswith("CredentialTypeNotAllowed"):
        return PermanentError("passwords-forbidden", said, "The tenant's app management policy forbids new passwords.")
    if "credential" in message.lower() and ("limit" in message.lower() or "maximum" in message.lower()):
        return PermanentError("no-room", said, "Remove a password of this application that nobody uses.")
    headers = httpx.Headers(error.response_headers or {})
    return of_status(
        status,
        f"Microsoft Graph, {where}",
        repeatable=repeatable,
        service_code=code,
        retry_after=retry_after(headers),
    )
