"""Lists of Azure Resource Manager are read to their end, and never elsewhere."""

import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.core.rest import HttpRequest

from rekey.clients import Clients
from rekey.managed_identities import ManagedIdentities
from tests.core.company import Company

ARM_ID = "/subscriptions/1/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"


class _Pages:
    """Azure Resource Manager with lists of two pages; the second is said to be on another host."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send_request(self, request: HttpRequest, **_: Any) -> Any:
        """Answer with a page and what comes after it."""
        self.asked.append(request.url)
        second = parse_qs(urlsplit(request.url).query).get("$skipToken") == ["X'1 2'"]
        link = f"https://evil.example{ARM_ID}?api-version=2099-01-01&$skipToken=X'1%202'"
        body = {"value": [{"name": "b" if second else "a"}], "nextLink": None if second else link}
        return SimpleNamespace(status_code=200, content=b"{}", headers={}, json=lambda: json.loads(json.dumps(body)))


async def test_a_list_is_read_to_its_end_where_it_began(company: Company) -> None:
    """Of a link to the next page only the query counts: host, path and version stay."""
    pages = _Pages()
    settings = company.settings

    class Paged(Clients):
        """Clients whose Azure Resource Manager has long lists."""

        def resource_manager(self) -> Any:
            """Return it."""
            return pages

    found = await ManagedIdentities(Paged(settings)).credentials(ARM_ID)
    assert [one.name for one in found] == ["a", "b"]
    for url in pages.asked:
        assert url.startswith(f"{settings.cloud.resource_manager}{ARM_ID}/federatedIdentityCredentials?")
        assert "2099" not in url
    assert len(pages.asked) == 2
