"""Asks the operator API, for the commands: its address alone gets the key, redirects aren't followed.

On the standard library: a command starts at once, and needs nothing but Python where it is used at 3 a.m.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from email.message import Message
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from rekey.api_access import Access
from rekey.terminal import FINDINGS, UNUSABLE

PATIENCE = 230.0
"""Seconds: as long as Azure lets a function take to answer over HTTP."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer."""
_KEY = (
    "Set REKEY_API_KEY, or name a file with --key-file: a function key is in the portal under the function app, "
    "App keys. Where Entra authentication is in front, name its audience with --audience."
)


class ApiError(Exception):
    """The API can't be asked, or refuses; says what to do. `code` is the command's exit code."""

    def __init__(self, message: str, what_to_do: str = "", code: int = FINDINGS) -> None:
        super().__init__(f"{message.rstrip('.')}. {what_to_do}".strip() if what_to_do else message)
        self.code = code


class OperatorClient:
    """The operator API at one address, for whoever has its key, or a token."""

    def __init__(self, access: Access, token: str = "") -> None:
        self._origin = access.origin
        self._headers = {"Accept": "application/json", "User-Agent": "rekey"}
        if access.key:
            self._headers["x-functions-key"] = access.key.reveal()
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._opener = _opener(here=access.is_here)

    def get(self, *path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the JSON of a page of the API; `path` is in segments; ApiError."""
        return self._call("GET", path, query or {}, None)

    def post(self, *path: str, body: object) -> Any:
        """Return the JSON that is answered to a body; ApiError."""
        return self._call("POST", path, {}, json.dumps(body).encode())

    def _call(self, method: str, path: tuple[str, ...], query: Mapping[str, str], body: bytes | None) -> Any:
        url = f"{self._origin}/api/{'/'.join(quote(part, safe='') for part in path)}"
        url += f"?{urlencode(query)}" if query else ""
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        request = Request(url, data=body, headers=headers, method=method)  # noqa: S310 - the origin was checked
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                return self._read(answer.read(LARGEST))
        except HTTPError as error:
            with error:
                raise self._refused(error) from None
        except (URLError, http.client.HTTPException, OSError) as error:
            raise self._unreachable(error) from None

    def _read(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            said = f"{self._origin} answered something that isn't JSON"
            raise ApiError(said, f"Is that the function app's address? {_KEY}") from None

    def _refused(self, error: HTTPError) -> ApiError:
        status = error.code
        if 300 <= status < 400:
            where = urlsplit(error.headers.get("Location") or "").hostname or "another address"
            said = f"{self._origin} sends on to {where}, which is not followed"
            return ApiError(said, "Name the app's own address; if it asks for a sign-in, name --audience.")
        said = _error_of(error)
        if status in {401, 403} and not said:
            return ApiError(f"{self._origin} refuses to answer (HTTP {status})", _KEY)
        if not said:
            return ApiError(f"{self._origin} answered HTTP {status}", "Is that the address of a running Rekey?")
        again = "Try again in a moment." if status in {429, 503} else ""
        return ApiError(said, again, UNUSABLE if status == 400 else FINDINGS)

    def _unreachable(self, error: Exception) -> ApiError:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLCertVerificationError):
            check = "Check the address; for a company's own certificate authority set SSL_CERT_FILE."
            return ApiError(f"{self._origin} has a certificate that isn't trusted: {reason.verify_message}", check)
        said = f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else reason
        return ApiError(
            f"cannot reach {self._origin} ({said})", "Check the address (--api, REKEY_API) and the network."
        )


def _error_of(error: HTTPError) -> str:
    """Return the API's own message, "" if it isn't the API that answers."""
    try:
        return str(json.loads(error.read(LARGEST))["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError, OSError, http.client.HTTPException):
        return ""


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: the key is for one host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        """Return no request, so that the redirect itself is the answer."""
        del req, fp, code, msg, headers, newurl
        return None


def _opener(*, here: bool) -> OpenerDirector:
    """What is on this machine is asked without a proxy: it would get the key in clear."""
    return build_opener(_Stay, ProxyHandler({})) if here else build_opener(_Stay)
