"""Speaks to Azure DevOps' REST API 7.1: how it is asked, how it fails, and what the app's identity may do there.

Bad authentication yields a sign-in page with a 2xx status, so anything but JSON is a refusal.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from azure.core.rest import AsyncHttpResponse, HttpRequest

from rekey.azure_errors import malformed, of_status, retry_after, translated
from rekey.errors import NotYetError, PermanentError
from rekey.service_time import said_by

if TYPE_CHECKING:
    from azure.core import AsyncPipelineClient

API_VERSION = "7.1"
LONGEST_LIMIT = 300.0
"""Seconds over which Azure DevOps counts: after that it knows of nothing."""
LONGEST_PAUSE = 10.0
"""Seconds that one step waits for the next part of a list."""
MEMBERSHIP = (
    "Add the app's identity to the Azure DevOps organization as a user (by its service principal's object id; it takes "
    "a licence) and give it "
)


class Page(msgspec.Struct, frozen=True):
    """A part of a list: `following` asks for the next, "" after the last.

    `pause` is how many seconds the service wants nothing from the app: it says so with good answers, too, before it
    slows the app down: https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits.
    """

    items: tuple[dict[str, Any], ...]
    following: str
    pause: float


class AzureDevOps:
    """One organization, through one of the process's shared pipelines. One HTTP request per call, nothing repeated.

    `origin` is the pipeline's own; `grant` says how to give the app's identity what it misses.
    """

    def __init__(
        self,
        client: "AsyncPipelineClient[HttpRequest, AsyncHttpResponse]",
        origin: str,
        organization: str,
        grant: str,
    ) -> None:
        self._client = client
        self._base = f"{origin}/{quote(organization, safe='')}"
        self._where = f"Azure DevOps organization {organization}"
        self._grant = grant

    async def call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None, *, repeatable: bool = True
    ) -> dict[str, Any] | None:
        """Send one request for a path below the organization and return its JSON, None where the answer has none.

        UnclearError for a write that isn't `repeatable` and may have happened.
        """
        answer, _ = await self._exchange(method, path, query, body, repeatable=repeatable)
        return answer

    async def _exchange(
        self, method: str, path: str, query: dict[str, str] | None, body: Any = None, *, repeatable: bool = True
    ) -> tuple[dict[str, Any] | None, Mapping[str, str]]:
        request = HttpRequest(
            method,
            self._base + path,
            params={"api-version": API_VERSION, **(query or {})},
            headers={"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress"},
            json=body,
        )
        with translated(self._where, repeatable=repeatable, forbidden=self._grant):
            response = await self._client.send_request(request)
        if response.status_code == 204:
            return None, response.headers
        self._refuse_sign_in_page(response, repeatable=repeatable)
        if response.status_code >= 300:
            raise of_status(
                response.status_code,
                self._where,
                repeatable=repeatable,
                forbidden=self._grant,
                service_code=_type_key(response),
                retry_after=retry_after(response.headers),
            )
        try:
            answer: dict[str, Any] | None = response.json()
        except ValueError:
            raise malformed(self._where, repeatable=repeatable) from None
        return answer, response.headers

    async def listed(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return the items of a list."""
        answer = await self.call("GET", path, query) or {}
        found: list[dict[str, Any]] = answer.get("value") or []
        return found

    async def page(self, path: str, query: dict[str, str]) -> Page:
        """Return a part of a list that may be long; `query` may name another version of the API."""
        answer, headers = await self._exchange("GET", path, query)
        following = headers.get("x-ms-continuationtoken") or ""
        return Page(tuple((answer or {}).get("value") or ()), following, pause(headers))

    async def pages(self, path: str, query: dict[str, str], most: int) -> AsyncIterator[Page]:
        """Yield a long list part by part, at most that many, with the pauses that the service wants.

        NotYetError for a pause that no step waits out: the next attempt begins anew.
        """
        following: dict[str, str] = {}
        for _ in range(most):
            page = await self.page(path, {**query, **following})
            yield page
            if not page.following:
                return
            if page.pause > LONGEST_PAUSE:
                raise NotYetError("throttled", f"{self._where}: it wants nothing for a while", page.pause)
            await asyncio.sleep(page.pause)
            following = {"continuationToken": page.following}

    async def found(self, path: str, query: dict[str, str] | None = None) -> dict[str, Any] | None:
        """Return one object, None if it is gone: the service answers 404, or `null` with 200."""
        try:
            return await self.call("GET", path, query)
        except PermanentError as error:
            if error.code == "not-found":
                return None
            raise

    async def allows(self, namespace: str, bits: int, token: str) -> bool:
        """Tell whether the caller has all those bits of a security namespace on what the token names.

        https://learn.microsoft.com/azure/devops/organizations/security/namespace-reference.
        """
        answer = await self.call("GET", f"/_apis/permissions/{namespace}/{bits}", {"tokens": token})
        return bool(answer) and all((answer or {}).get("value", [False]))

    def _refuse_sign_in_page(self, response: AsyncHttpResponse, *, repeatable: bool) -> None:
        """A proxy's page after a write that isn't repeatable proves nothing: it is left to be an unreadable answer."""
        page = response.status_code < 300 and "json" not in response.headers.get("Content-Type", "")
        if response.status_code in {401, 203, 302} or (page and repeatable):
            raise PermanentError(
                "unauthorized", f"{self._where}: answered HTTP {response.status_code} with a sign-in page", self._grant
            )


def pause(headers: Mapping[str, str]) -> float:
    """Return how many seconds the service wants nothing from the app: as asked, or until what it allows is there again.

    X-RateLimit-Reset is when, in Unix time; it is compared with the answer's own date.
    """
    asked = retry_after(headers)
    if asked is not None:
        return asked
    answered, again = said_by([headers.get("Date")]), headers.get("X-RateLimit-Reset") or ""
    if headers.get("X-RateLimit-Remaining") != "0" or not (answered and again.isdecimal() and again.isascii()):
        return 0.0
    return min(max(0.0, int(again[:12]) - answered.timestamp()), LONGEST_LIMIT)


def below(project: str) -> str:
    """Return the path under which a project's operations are."""
    return f"/{quote(project, safe='')}/_apis"


def _type_key(response: AsyncHttpResponse) -> str:
    try:
        return str(response.json().get("typeKey") or "")
    except (ValueError, AttributeError):
        return ""
